//! What gives a programming language away: pieces of text and what each is worth.
//!
//! A mark that begins or ends with a line end stands at the start or end of a line without its
//! indentation. Weights: 1 many languages have it, 2 typical, 3 and 4 hardly anything else has it,
//! 5 and more conclusive.

/// Languages with their marks.
#[rustfmt::skip]
pub(super) const LANGUAGES: &[(&str, &[(&str, u8)])] = &[
    (
        "python",
        &[
            ("\ndef ", 2), ("\nclass ", 1), ("\nimport ", 1), ("\nfrom ", 1), ("):\n", 2),
            ("\nelif ", 3), ("self.", 2), ("\nexcept ", 2), ("\nexcept:\n", 3), ("__name__", 3),
            ("__init__", 3), ("\nprint(", 2), ("None", 1), ("\nreturn ", 1), ("\nraise ", 2),
            ("\nwith open(", 3), ("\nasync def ", 3), ("lambda ", 1), ("\ntry:\n", 3),
            ("\nelse:\n", 2), ("\n@property\n", 3), ("\nyield ", 1), ("\nassert ", 1),
            ("\nimport os\n", 3), ("\nimport sys\n", 3), ("\nfor ", 1), (" in range(", 3),
            (".append(", 1), ("\"\"\"", 1), ("\nfrom __future__", 4), ("\nimport numpy", 4),
            ("\nimport pandas", 4), ("\nif not ", 1), (" is None", 3), ("f\"", 1),
        ],
    ),
    (
        "javascript",
        &[
            ("\nconst ", 2), ("\nlet ", 2), ("\nvar ", 2), ("function(", 2), ("function (", 2),
            ("\nfunction ", 2), (" => {", 3), (" =>", 1), ("require(", 2), ("module.exports", 4),
            ("console.log(", 3), (" === ", 3), (" !== ", 3), ("\nexport default", 3),
            ("\nexport const ", 3), ("\nimport {", 2), ("document.", 2), ("\nasync function", 3),
            (");\n", 1), ("});\n", 2), ("undefined", 1), ("\nreturn ", 1), ("'use strict'", 4),
            ("\"use strict\"", 4), (".prototype.", 3), ("\nawait ", 2), ("\nexport function ", 3),
            (".then(", 2), ("\nthis.", 1),
        ],
    ),
    (
        "typescript",
        &[
            ("\ninterface ", 2), (": string", 2), (": number", 2), (": boolean", 2),
            ("\nexport interface", 4), ("\nexport type ", 4), ("\nimport type ", 4),
            ("private readonly ", 3), (" as const", 3), ("Promise<", 2), ("\nexport class ", 2),
            ("\nexport enum ", 3), ("\ndeclare ", 3), (": void", 2), ("?: ", 1), ("readonly ", 1),
            ("\nconstructor(private", 4), ("\n@Component(", 3), ("\n@Injectable(", 4),
            ("\ntype ", 1),
        ],
    ),
    (
        "java",
        &[
            ("\npublic class ", 3), ("\nprivate ", 1), ("\npublic static void main", 5),
            ("\nimport java", 5), ("\nimport org.", 3), ("\nimport com.", 2), ("\npackage ", 1),
            ("\n@Override", 3), ("System.out.", 3), ("\nprotected ", 1), ("String ", 1),
            (");\n", 1), (" throws ", 2), ("\npublic interface ", 2), ("\nprivate final ", 3),
            ("\nprivate static final ", 4), (" extends ", 1), (" implements ", 2),
            ("\npublic final class", 3), ("\npublic void ", 2), ("\n@Autowired", 4),
            ("\n@Test\n", 2), ("\npublic enum ", 2), (" new ", 1), ("\nreturn ", 1),
            ("\nfinal ", 1), ("\n} catch (", 1), ("\npublic static ", 2),
        ],
    ),
    (
        "csharp",
        &[
            ("\nusing System", 5), ("\nnamespace ", 2), ("\npublic class ", 2),
            ("private readonly ", 3), ("{ get;", 4), ("Console.Write", 4),
            ("\npublic async Task", 4), ("\n/// <summary>", 4), ("\nusing ", 1),
            ("\ninternal ", 2), ("\npublic override ", 3), ("\nvar ", 1), ("string ", 1),
            ("\npublic sealed ", 3), ("\n[Test", 2), ("\npublic string ", 2),
            ("\npublic static ", 1), ("\nreturn ", 1), ("\nforeach (var", 4), ("\n#region", 4),
            ("\npublic virtual ", 3), ("\nusing Microsoft", 5),
        ],
    ),
    (
        "go",
        &[
            ("\npackage ", 2), ("\nfunc ", 3), (" := ", 2), ("\nimport ($", 3), ("fmt.", 2),
            ("if err != nil", 4), ("\ntype ", 1), (" struct {\n", 2), (" interface {\n", 2),
            ("\ndefer ", 3), ("chan ", 1), ("\ngo func(", 3), ("range ", 1), ("[]byte", 2),
            ("[]string", 2), ("nil", 1), ("\nfunc (", 3), ("\nreturn ", 1),
            ("\npackage main\n", 4), ("\nimport \"", 2), ("ctx context.Context", 4),
            ("make(map[", 3),
        ],
    ),
    (
        "rust",
        &[
            ("\nfn ", 3), ("\npub fn ", 4), ("\nuse ", 1), ("\nuse std::", 4),
            ("\nuse crate::", 4), ("\nlet mut ", 4), ("\nlet ", 1), ("\nimpl", 2),
            ("\npub struct ", 3), ("\nstruct ", 1), ("\nmod ", 1), ("\npub mod ", 3),
            ("#[derive(", 4), (" -> ", 1), ("::new(", 1), ("println!(", 3), ("\nmatch ", 2),
            ("&mut ", 2), ("&self", 3), ("Option<", 2), ("Result<", 2), (".unwrap()", 3),
            ("\n#[cfg", 3), ("\n//!", 2), ("vec![", 2), ("\n///", 1), ("&str", 2),
            ("\npub enum ", 3), ("\n#![", 3), ("\nextern crate ", 5), ("\nunsafe ", 2),
            ("\nmacro_rules!", 5), ("\npub(crate)", 4), ("Some(", 1), ("assert_eq!(", 3),
            ("\nenum ", 1),
        ],
    ),
    (
        "c",
        &[
            ("\n#include <", 3), ("\n#include \"", 3), ("\n#define ", 3), ("\n#ifdef ", 3),
            ("\n#ifndef ", 3), ("\n#endif", 2), ("\nstatic ", 1), ("\nint main(", 4),
            ("\ntypedef ", 3), ("\nstruct ", 1), ("\nvoid ", 2), ("\nint ", 1), ("\nchar ", 1),
            ("->", 1), ("printf(", 2), ("malloc(", 2), ("sizeof(", 2), ("NULL", 1),
            ("\nunsigned ", 2), ("\nextern ", 2), ("\nreturn ", 1), ("const char *", 3),
            ("\nuint", 1), ("\n#if ", 2), ("\n#undef ", 3), ("\nenum ", 1),
            ("\nstatic inline ", 3), (");\n", 1), ("\ngoto ", 1), ("\nswitch (", 1),
            ("\ncase ", 1), ("\nreturn;\n", 1),
        ],
    ),
    (
        "cpp",
        &[
            ("std::", 3), ("\ntemplate", 4), ("\nnamespace ", 1), ("\nclass ", 1),
            ("\npublic:\n", 4), ("\nprivate:\n", 4), ("\nprotected:\n", 4),
            ("#include <iostream>", 4), ("#include <vector>", 4), ("#include <string>", 3),
            ("#include <memory>", 4), ("#include <map>", 4), ("#include <algorithm>", 4),
            ("nullptr", 3), ("virtual ", 2), ("cout <<", 4), ("\nusing namespace ", 4),
            ("const auto", 2), ("static_cast<", 4), ("typename ", 2), ("\n} // namespace", 3),
            ("\ndelete ", 2), ("\n#include <c", 2),
        ],
    ),
    (
        "ruby",
        &[
            ("\nend\n", 2), ("\nrequire '", 3), ("\nrequire \"", 2), ("\nrequire_relative", 5),
            ("\nmodule ", 1), ("\nattr_", 4), (" do |", 3), ("\nputs ", 2), ("\nelsif ", 3),
            (".each do", 3), ("\nunless ", 2), ("\ndef ", 1), ("\nclass ", 1), ("nil", 1),
            ("\nrescue ", 3), (" do\n", 1), ("\n@", 1), ("\ngem '", 4), ("\ndescribe ", 2),
            ("\nit \"", 2), ("\nit '", 2), ("\ninclude ", 1), ("\nbefore_action", 4),
            ("\nvalidates ", 4), ("\nhas_many ", 5), ("\nbelongs_to ", 4), ("\ndef self.", 4),
            (" unless ", 2), ("\n# frozen_string_literal", 6),
        ],
    ),
    (
        "php",
        &[
            ("<?php", 7), ("$this->", 4), ("\nuse ", 1), ("\nnamespace ", 1), ("\n$", 1),
            ("function ", 1), ("$_GET", 4), ("$_POST", 4), ("$_SERVER", 4), ("\necho ", 1),
            ("::class", 2), ("\npublic function ", 4), ("\nprivate function ", 3),
            ("\nprotected function ", 4), ("<?", 1), ("array(", 1), ("?>", 1),
            ("\nrequire_once", 2),
        ],
    ),
    (
        "perl",
        &[
            ("\nuse strict", 5), ("\nuse warnings", 5), ("\nmy $", 4), ("\nmy (", 3),
            ("\nsub ", 3), ("\nmy @", 3), ("\nmy %", 3), ("=~ ", 3), ("@_", 3), ("$_", 1),
            ("\nforeach my", 4), ("\nuse ", 1), ("\nprint ", 1), ("\n1;\n", 3), (" qw(", 4),
            ("\npackage ", 1), ("->{", 2), ("\ndie ", 1), ("\n=head1", 4), ("\n=cut\n", 4),
            ("\nelsif (", 2), ("\nreturn ", 1), ("\nunless (", 2), ("shift;\n", 3),
        ],
    ),
    (
        "shell",
        &[
            ("\nif [ ", 4), ("\nif [[ ", 4), ("\nfi\n", 4), ("\ndone\n", 4), ("\nthen\n", 3),
            ("; then\n", 4), ("; do\n", 3), ("\nesac", 4), ("\necho ", 2), ("\nexport ", 2),
            ("\nset -e", 4), ("$(", 2), ("${", 1), ("\nlocal ", 1), ("\nsource ", 1),
            ("() {\n", 2), (" || exit", 3), (" && ", 1), (">/dev/null", 3), ("2>&1", 3),
            ("\nexit ", 1), ("\nsudo ", 1), ("\ncd ", 1), ("\nwhile read", 3), ("\nfor i in", 3),
            ("$1", 2), ("\ncase \"", 3), ("\nshift\n", 3), ("\ntrap ", 3), ("\nreadonly ", 2),
            ("\nprintf '", 2), (" | grep", 2), (" | awk", 3), (" | sed", 3), (";;\n", 3),
            ("\nmkdir -p", 2), ("\ncurl ", 1), ("\nunset ", 2),
        ],
    ),
    (
        "powershell",
        &[
            ("\nparam (", 3), ("\nparam(", 3), ("Write-Host", 4), ("Write-Output", 4), ("Get-", 2),
            ("Set-", 1), ("New-Object", 4), ("$_.", 2), (" -eq ", 2), ("\nfunction ", 1),
            ("[string]\n", 4), ("[Parameter(", 4), ("-ErrorAction", 4), ("$null", 2),
            ("| Where-Object", 4), ("| ForEach-Object", 4), ("\nImport-Module", 4), ("\n$", 1),
            (" -ne ", 2), ("[CmdletBinding(", 5), ("$PSScriptRoot", 5), ("\n.SYNOPSIS", 4),
        ],
    ),
    (
        "kotlin",
        &[
            ("\nfun ", 4), ("\nval ", 3), ("\nvar ", 1), ("\ndata class ", 4), ("println(", 1),
            ("\nimport kotlin", 5), ("override fun ", 4), ("\nobject ", 2), (" ?: ", 2),
            ("when (", 2), ("\npackage ", 1), ("private val ", 3), ("suspend fun", 4),
            ("\nsealed class", 3), ("\nclass ", 1), ("\nimport org.", 1), ("\ninternal ", 2),
            ("companion object", 4), ("fun main(", 4), (": String", 1), ("\nprivate fun ", 4),
            (".let {", 3),
        ],
    ),
    (
        "swift",
        &[
            ("\nimport Foundation", 5), ("\nimport UIKit", 5), ("\nimport SwiftUI", 5),
            ("\nfunc ", 2), ("\nlet ", 1), ("\nvar ", 1), ("guard let ", 4), ("if let ", 1),
            ("\nprotocol ", 3), ("\nextension ", 3), (" -> ", 1), ("\n@objc", 4),
            ("override func ", 4), ("\ninit(", 2), ("private func ", 4), ("@IBOutlet", 4),
            ("\npublic func ", 4), ("\nimport XCTest", 5), ("\nstruct ", 1), ("\nclass ", 1),
            ("\nenum ", 1), (": String", 1), ("\n@State", 3), ("\nself.", 1), ("\nswitch ", 1),
            ("\ncase .", 3),
        ],
    ),
    (
        "scala",
        &[
            ("\nobject ", 2), ("\ndef ", 1), ("\nval ", 2), ("case class ", 4), ("\ntrait ", 2),
            ("\nimport scala", 5), (" extends ", 1), (" => ", 1), ("override def ", 4),
            (": Unit =", 4), ("\nimplicit ", 3), ("\npackage ", 1), (" match {", 3),
            ("\ncase ", 1), ("Option[", 3), ("Seq[", 3), ("List[", 2), ("\nimport org.", 1),
            ("\nclass ", 1), (" with ", 1), ("def apply(", 4), ("\nsealed trait", 4), ("=>\n", 1),
            ("\nlazy val", 3),
        ],
    ),
    (
        "sql",
        &[
            ("\nSELECT ", 3), ("\nselect ", 2), ("\nINSERT INTO ", 4), ("\ninsert into ", 4),
            ("\nCREATE TABLE ", 6), ("\ncreate table ", 5), ("\nFROM ", 1), ("\nWHERE ", 2),
            ("\nwhere ", 1), ("\nDROP TABLE ", 4), ("\ndrop table ", 4), ("\nALTER TABLE ", 4),
            ("\nalter table ", 4), ("PRIMARY KEY", 2), ("primary key", 2), ("VARCHAR", 2),
            ("varchar(", 2), ("ORDER BY", 2), ("order by", 2), ("GROUP BY ", 2), ("group by", 2),
            ("\nLEFT JOIN", 3), ("NOT NULL", 2), ("not null", 2), ("\nUPDATE ", 1),
            ("\nDELETE FROM ", 4), ("\nCREATE INDEX", 4), ("\nCREATE ", 2), ("\nVALUES", 2),
            ("\nvalues (", 2), ("\nSET ", 1), ("\nJOIN ", 2), ("\nAND ", 1), (" AS ", 1),
            ("\nBEGIN\n", 1), ("\nEND;\n", 2), ("\ncreate ", 1), ("\nCOMMIT;\n", 3), ("\nUSE ", 1),
            ("DELIMITER ", 3), ("CREATE OR REPLACE", 4), ("\nDECLARE ", 2), ("\nON ", 1),
            ("count(*)", 3), ("COUNT(*)", 3),
            ("\nCREATE FUNCTION ", 5), ("\nALTER EXTENSION ", 5), ("\nCREATE OPERATOR", 5),
            ("\nALTER FUNCTION", 4), ("\nLANGUAGE ", 3), ("RETURNS ", 2), ("\nAS '", 2),
            ("\n\\echo ", 3), ("\nGRANT ", 3), ("\nREVOKE ", 3), ("\nCREATE VIEW", 4),
            ("\nDROP FUNCTION", 4), ("\nSELECT\n", 2), ("CREATE EXTENSION", 3),
            ("\nALTER OPERATOR", 4), ("\nCREATE OR REPLACE FUNCTION", 5), ("\nWITH ", 1),
        ],
    ),
    (
        "dockerfile",
        &[
            ("\nFROM ", 3), ("\nRUN ", 3), ("\nCOPY ", 3), ("\nENTRYPOINT ", 3), ("\nCMD [", 3),
            ("\nWORKDIR ", 4), ("\nENV ", 2), ("\nEXPOSE ", 3), ("\nARG ", 2), ("\nUSER ", 1),
            ("\nLABEL ", 2), ("\nADD ", 1), ("\nMAINTAINER ", 3), ("\nVOLUME ", 2),
            ("\nHEALTHCHECK ", 4), ("apt-get install", 1),
        ],
    ),
    (
        "makefile",
        &[
            ("\n.PHONY", 6), ("$(MAKE)", 4), ("$@", 2), ("$<", 2), ("\nall:", 3), ("\nclean:", 4),
            ("\ninclude ", 1), ("\nifeq (", 4), ("\nendif\n", 2), ("$(shell ", 4), (" ?= ", 2),
            (" := ", 1), ("\ninstall:", 3), ("\ntest:", 2), ("\n@echo ", 2), ("\n%.o:", 4),
            ("\nCFLAGS", 4), ("\nCC ", 3), ("\nifdef ", 2), ("\nifndef ", 2), ("\nbuild:", 2),
            ("$(CC)", 4), ("\n%.", 2), ("\nSRC ", 2),
        ],
    ),
    (
        "cmake",
        &[
            ("\ncmake_minimum_required(", 6), ("\ncmake_minimum_required (", 6), ("\nproject(", 2),
            ("\nproject (", 2), ("\nadd_executable(", 5), ("\nadd_library(", 5),
            ("\ntarget_link_libraries(", 5), ("\nset(", 2), ("\nset (", 2), ("\nendif(", 3),
            ("\nfind_package(", 5), ("\ninclude(", 2), ("\nif(", 1), ("\nforeach(", 2),
            ("\ninstall(", 2), ("\nadd_subdirectory(", 4), ("${CMAKE_", 4), ("\nmessage(", 2),
            ("\noption(", 2),
            ("\nset_property(", 4), ("\nset_target_properties(", 5), ("\nlist(APPEND", 5),
            ("\nlist(", 2),
        ],
    ),
    (
        "lua",
        &[
            ("\nlocal ", 2), ("\nlocal function ", 5), ("\nfunction ", 1), ("\nend\n", 1),
            (" then\n", 2), (" ~= ", 3), ("nil", 1), ("\nelseif ", 3), ("ipairs(", 4),
            (" in pairs(", 4), (" .. ", 1), ("\nend)", 2), ("require(", 1), ("\nend,", 2),
            ("\nrequire \"", 2), ("\nreturn ", 1), ("\n-- ", 1),
        ],
    ),
    (
        "r",
        &[
            ("<- function(", 5), (" <- ", 3), ("library(", 3), ("%>%", 4), ("ggplot(", 4),
            ("data.frame(", 4), ("\nlibrary(", 3), ("paste0(", 4), ("#'", 2), ("TRUE", 1),
            ("function(x", 2), ("\nsource(", 1), ("read.csv(", 3),
        ],
    ),
    (
        "haskell",
        &[
            ("\nmodule ", 1), (" where\n", 2), ("\nimport qualified ", 5), (" :: ", 2),
            (" -> ", 1), ("\ndata ", 2), ("\nimport Data.", 5), ("\nimport Control.", 5),
            ("\ninstance ", 3), ("{-# LANGUAGE", 5), ("\nderiving ", 3), (" <- ", 1),
            ("\nimport ", 1), ("\nmain ::", 5), ("\nnewtype ", 5), ("\nmain = do", 5),
            ("\nlet ", 1), ("\ncase ", 1), (" do\n", 2),
        ],
    ),
    (
        "elixir",
        &[
            ("\ndefmodule ", 6), ("\ndefp ", 5), (" do\n", 1), ("|> ", 3), ("\nend\n", 1),
            ("\n@moduledoc", 5), ("\n@spec ", 4), ("\n@doc", 3), ("\nalias ", 3), ("\nuse ", 1),
            ("%{", 1), ("\ndef ", 1), ("\nimport ", 1), ("IO.puts", 4), ("\nassert ", 1),
            ("\ntest \"", 3),
        ],
    ),
    (
        "erlang",
        &[
            ("\n-module(", 6), ("\n-export(", 6), (") ->\n", 3), ("\n-include(", 4),
            ("\n-spec ", 4), ("\n-define(", 4), ("\n-record(", 5), ("\n%% ", 2), ("io:format(", 4),
            ("ok;\n", 2), ("\nreceive\n", 3), ("\n-behaviour(", 5),
        ],
    ),
    (
        "clojure",
        &[
            ("\n(ns ", 6), ("\n(defn ", 6), ("\n(def ", 4), ("(:require", 5), ("\n(let [", 3),
            ("(let [", 2), ("\n(defn- ", 6), ("\n(defmacro ", 4), ("\n:require", 2), ("(fn [", 4),
            ("->> ", 2),
        ],
    ),
    (
        "lisp",
        &[
            ("\n(defun ", 6), ("\n(setq ", 5), ("\n(require '", 4), ("\n(defmacro ", 4),
            ("\n(define ", 6), ("(lambda (", 3), ("\n(defvar ", 5), ("\n;; ", 2), ("\n;;; ", 3),
            ("(let ((", 3), ("\n(defcustom ", 6), ("\n(if ", 1), ("\n(in-package", 6),
            ("\n(cond ", 2),
        ],
    ),
    (
        "dart",
        &[
            ("\nimport 'package:", 5), ("\nimport 'dart:", 6), ("\nvoid main()", 4),
            ("Widget ", 3), ("\n@override", 3), ("\nfinal ", 1), ("\nclass ", 1), ("Future<", 3),
            ("\nreturn ", 1), ("BuildContext ", 5), ("\npart '", 3), ("\nvar ", 1),
            ("\nconst ", 1), (");\n", 1),
        ],
    ),
    (
        "groovy",
        &[
            ("\npipeline {", 5), ("\nstages {", 5), ("\nstage('", 4), ("\nstage(\"", 4),
            ("\nsteps {", 4), ("\ndef ", 1), ("\nnode {", 3), ("\napply plugin:", 5),
            ("\ndependencies {", 4), ("\nimplementation '", 5), ("\nimplementation(", 3),
            ("println ", 1), ("\nrepositories {", 4), ("\nplugins {", 3), ("\nid '", 3),
            ("\ncompile '", 4), ("\nsh '", 3), ("\nagent ", 2), ("\ntestImplementation", 4),
            ("\ntask ", 2), ("\nmavenCentral()", 3),
        ],
    ),
    (
        "protobuf",
        &[
            ("\nsyntax = \"proto", 6), ("\nmessage ", 3), ("\nservice ", 1), ("\nrpc ", 4),
            ("\nrepeated ", 3), ("\npackage ", 1), ("\noptional ", 2), ("returns (", 3),
            ("\noption ", 3), ("\nimport \"", 1), ("\noneof ", 4), ("\nstring ", 1),
            ("\nint32 ", 3), ("\nint64 ", 3), ("\nenum ", 1), ("\nreserved ", 2),
        ],
    ),
    (
        "graphql",
        &[
            ("\ntype Query", 5), ("\nquery {", 4), ("\nmutation ", 3), ("\nquery ", 1),
            ("\ninput ", 2), ("\nscalar ", 3), ("\ntype ", 1), ("!$", 1), ("\nfragment ", 3),
            ("\nextend type", 5), ("\ndirective @", 5), (": String!", 3), (": ID!", 5),
            (": Int", 2),
        ],
    ),
    (
        "css",
        &[
            ("px;\n", 2), ("\ncolor:", 3), ("\nmargin", 2), ("\npadding", 2), ("\nbackground", 2),
            ("\ndisplay:", 3), ("\n@media ", 4), ("\nfont-", 3), (":hover", 2), ("\nwidth:", 2),
            ("\nposition:", 2), ("\nborder", 2), ("\nheight:", 2), ("!important;", 3),
            ("\n@import ", 1), ("em;\n", 2), ("\n&:", 2), ("rgba(", 2),
            ("@font-face", 5), ("\n--", 1), ("\n:root {", 4),
        ],
    ),
    (
        "objective_c",
        &[
            ("\n@interface ", 5), ("\n@implementation ", 6), ("\n@property ", 5),
            ("\n#import ", 4), ("\n- (", 3), ("\n+ (", 3), ("\n@end", 5), ("NSString", 4),
            ("nil", 1), ("\n@synthesize ", 5), ("[self ", 3), ("@\"", 2), ("\n@class ", 4),
            ("alloc]", 3),
        ],
    ),
    (
        "assembly",
        &[
            ("\nmov ", 3), ("\npush ", 2), ("\nret\n", 3), ("\n.globl ", 5), ("\n.text\n", 4),
            ("\nsection .", 4), ("\njmp ", 3), ("\ncall ", 1), ("%rax", 3), ("%rsp", 3),
            ("\n.section ", 4), ("\nmovq ", 4), ("\nldr ", 3), ("\nglobal _", 4),
            ("\nint 0x80", 5), ("\nxor ", 2), ("\n.data\n", 3), ("\nadd ", 1), ("\ncmp ", 2),
            ("\nsyscall\n", 4), ("\nbits ", 3), ("\norg ", 3), ("eax", 2), ("rdi", 2),
            ("\nmov\t", 3), ("\npush\t", 3), ("\ncall\t", 2), ("\nret\t", 2), ("\n.file", 3),
            ("\n.align", 2), ("\nmovl\t", 4), ("\nmovq\t", 4),
        ],
    ),
    (
        "zig",
        &[
            ("@import(\"", 5), ("\npub fn ", 2), ("const std = ", 5), ("!void", 4),
            ("comptime ", 4), ("\ntry ", 2), ("\ndefer ", 1), ("allocator", 1), ("\nconst ", 1),
            ("\nfn ", 1), ("\nvar ", 1), ("\ntest \"", 4), ("[]const u8", 5), ("orelse ", 2),
            ("usize", 1),
        ],
    ),
    (
        "julia",
        &[
            ("\nusing ", 1), ("\nfunction ", 1), ("\nend\n", 1), ("::Int", 3), ("::Float64", 4),
            ("\nstruct ", 1), ("println(", 1), ("\nmutable struct", 5), ("\n@test ", 3),
            ("\nexport ", 1), ("\nmodule ", 1), ("::String", 2), ("\nabstract type", 5),
            ("\nreturn ", 1), ("\nelseif ", 1), ("\nconst ", 1), ("\nfor ", 1),
            ("\nusing LinearAlgebra", 5), ("::Array{", 4), ("::Vector{", 4),
        ],
    ),
    (
        "ocaml",
        &[
            ("\nlet rec ", 5), ("\nopen ", 2), (" in\n", 2), ("\nmatch ", 1), (" with\n", 2),
            (";;\n", 4), ("\nmodule ", 1), (": string", 1), ("\nlet ", 1), ("fun ", 1),
            ("\ntype ", 1), (" -> ", 1), ("\nval ", 2), ("List.map", 3),
            ("\nlet () =", 5), ("\nend\n", 1), ("\n(* ", 3), (" of ", 1), ("failwith ", 3),
        ],
    ),
    (
        "fortran",
        &[
            ("\nprogram ", 2), ("\nimplicit none", 6), ("\nend program", 5), ("\nsubroutine ", 4),
            ("\nend subroutine", 5), ("\ninteger ::", 4), ("\nreal(", 3), ("\nend do", 4),
            ("\ncall ", 1), ("\ninteger, ", 3), ("\nPROGRAM ", 3), ("\nIMPLICIT NONE", 6),
            ("\nEND DO", 4), ("\nSUBROUTINE ", 4), ("\nEND PROGRAM", 5), ("\nINTEGER ", 2),
            ("\ncontains\n", 3),
        ],
    ),
    (
        "cobol",
        &[
            ("IDENTIFICATION DIVISION", 8), ("PROCEDURE DIVISION", 6), ("\nMOVE ", 2),
            ("\nDISPLAY ", 2), ("PROGRAM-ID.", 6), ("WORKING-STORAGE", 5),
            ("identification division", 8), ("procedure division", 6), ("program-id.", 6),
        ],
    ),
    (
        "pascal",
        &[
            ("\nprocedure ", 4), ("\nbegin\n", 3), ("\nend;\n", 3), ("\nuses ", 2),
            ("\nuses\n", 4), (" := ", 1), ("\nunit ", 3), ("\nend.\n", 4), ("\nvar\n", 3),
            ("\nconst\n", 2), ("\ninterface\n", 3), ("\nimplementation\n", 5), ("\ntype\n", 2),
            ("\nfunction ", 1), ("writeln(", 4), ("\nprogram ", 2),
        ],
    ),
    (
        "visual_basic",
        &[
            ("\nSub ", 2), ("\nDim ", 4), ("\nEnd Sub", 5), ("\nEnd If", 4), ("\nImports ", 3),
            ("\nEnd Function", 5), ("\nPublic Sub ", 4), ("\nPrivate Sub ", 5), ("\nNext\n", 2),
            ("\nSet ", 1), ("\nOption Explicit", 6), ("\nEnd Class", 4), (" As String", 3),
            (" As Integer", 4), ("MsgBox ", 3),
        ],
    ),
    (
        "solidity",
        &[
            ("\npragma solidity", 8), ("\ncontract ", 4), ("\nmapping(", 4), ("uint256", 3),
            ("\nevent ", 1), ("\nmodifier ", 3), ("msg.sender", 5), ("address ", 1),
            ("\nemit ", 3), ("\nrequire(", 1),
        ],
    ),
    (
        "verilog",
        &[
            ("\nmodule ", 1), ("\nendmodule", 6), ("\nalways @", 5), ("\nassign ", 2),
            ("\nwire ", 3), ("\nreg ", 2), ("\ninput ", 1), ("\noutput ", 1), ("\nbegin\n", 1),
            ("<= ", 1), ("\n`timescale", 6), ("\n`include", 4), ("\ninitial begin", 4),
            ("posedge ", 4),
        ],
    ),
    (
        "vhdl",
        &[
            ("\narchitecture ", 3), ("\nentity ", 3), ("\nend process", 5), ("\nlibrary ieee", 6),
            ("\nuse ieee.", 6), ("\nsignal ", 2), ("std_logic", 4), ("\nport (", 2),
            ("\nport(", 2), ("rising_edge(", 4), ("\nLIBRARY IEEE", 6), ("STD_LOGIC", 4),
            ("\nENTITY ", 3), ("\nARCHITECTURE ", 3),
        ],
    ),
    (
        "tcl",
        &[
            ("\nproc ", 4), ("\nset ", 1), ("\nputs ", 1), ("\npackage require", 5),
            ("\nforeach ", 2), ("[lindex ", 4), ("\nnamespace eval", 5), ("\n} else {\n", 1),
            ("\n} elseif {", 3), ("[expr ", 4), ("\nif {", 3), ("\nreturn $", 2),
            ("\nglobal ", 1), ("\nvariable ", 1),
            ("\npackage ifneeded", 6), ("\nupvar ", 5), ("\nproc ::", 3), ("{} {\n", 3),
            ("\nbind ", 3), ("::tk::", 3), ("\nswitch -", 4), ("info exists ", 4),
        ],
    ),
    (
        "batch",
        &[
            ("@echo off", 6), ("@ECHO OFF", 6), ("\nset ", 1), ("\ngoto ", 3), ("\nrem ", 2),
            ("%~dp0", 5), ("\necho ", 1), ("\nif exist ", 4), ("\nREM ", 3), ("\nSET ", 1),
            ("\npause\n", 3), ("\nif not exist ", 4), ("%errorlevel%", 4), ("\nsetlocal", 4),
            ("\ncall ", 1), ("\n:", 1),
        ],
    ),
    (
        "vim",
        &[
            ("\nfunction! ", 6), ("\nendfunction", 6), ("\nlet g:", 6), ("\nnnoremap ", 6),
            ("\nlet s:", 6), ("\nset no", 2), ("\nautocmd ", 5), ("\nsyntax ", 2),
            ("\nendif\n", 1), ("\nif exists(", 4), ("\ncall ", 1), ("\nhighlight ", 3),
            ("\nhi link ", 4), ("\nsyn keyword", 5), ("\nsyn match", 5), ("\n\" ", 1),
            ("\nset nocompatible", 5), ("\nnoremap ", 4),
        ],
    ),
    (
        "diff",
        &[
            ("\ndiff --git ", 6), ("\n@@ -", 4), ("\n--- a/", 4), ("\n+++ b/", 4), ("\nindex ", 1),
            ("\n--- ", 2), ("\n+++ ", 3),
        ],
    ),
    (
        "thrift",
        &[
            ("\nnamespace ", 1), ("\nstruct ", 1), ("\nservice ", 1), ("\ntypedef ", 1),
            ("\n1: ", 3), ("\n2: ", 3), ("\nthrows (", 2), ("\nexception ", 2), ("\nlist<", 2),
        ],
    ),
    (
        "fsharp",
        &[
            ("\nmodule ", 1), ("\nopen System", 5), ("\nlet ", 1), ("\nlet rec ", 1), ("|> ", 1),
            ("\ntype ", 1), ("\nmember ", 4), ("\nmember this.", 5), ("printfn \"", 5),
            (" -> ", 1), ("\n[<", 2), ("\nlet mutable ", 4), ("fun ", 1),
            ("\nnamespace ", 1), (" with\n", 1),
        ],
    ),
    (
        "nim",
        &[
            ("\nproc ", 2), ("\nimport ", 1), ("\nvar ", 1), ("\nlet ", 1), ("\necho ", 1),
            ("\nproc main", 4), ("\nwhen isMainModule", 6), ("\ntype\n", 2), (" = object\n", 4),
            ("\nresult = ", 3), (": int=", 3), ("\nmethod ", 3),
        ],
    ),
    (
        "nix",
        &[
            ("\n{ pkgs", 3), ("\n{ stdenv", 5), ("mkDerivation", 6), ("\ninherit ", 3),
            ("\nwith import", 4), ("\nbuildInputs = [", 5), ("fetchurl {", 5), ("\nlet\n", 2),
            ("\nin\n", 2), ("\nsrc = ", 3), ("\nmeta = ", 3),
        ],
    ),
    (
        "awk",
        &[
            ("\nBEGIN {", 4), ("\nEND {", 4), ("NR==", 3), ("\nprint $", 4), ("\n{ print", 3),
            ("printf \"", 1), ("\nBEGIN{", 4), ("\nEND{", 4), ("split($", 3), ("gsub(", 2),
            ("NF;", 2), ("FS=", 2), ("\nnext\n", 2),
        ],
    ),
    (
        "crystal",
        &[
            ("\nrequire \"", 1), ("\nstruct ", 1), ("\ndef ", 1), ("\nend\n", 1), (": Int32", 4),
            ("\nmacro ", 3), ("\ngetter ", 4), ("\nproperty ", 2), ("\nabstract ", 2),
            ("\nlib ", 3), ("\nfun ", 1), ("\nmodule ", 1),
        ],
    ),
    (
        "m4",
        &[
            ("\nAC_DEFUN(", 6), ("\nAC_", 3), ("\ndnl ", 4), ("\nm4_", 3), ("AC_REQUIRE(", 4),
            ("\nAM_", 3), ("AC_SUBST(", 3),
        ],
    ),
];
