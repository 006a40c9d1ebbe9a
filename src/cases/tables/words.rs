//! The closed vocabularies of the room. On disk a word is its position: append, never reorder.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Declares a vocabulary: an enum whose words are spelled the same on the wire and in text.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident {
        $($(#[$word_doc:meta])* $word:ident $text:literal $(or $alias:literal)*,)*
    }) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash,
            Serialize, Deserialize, utoipa::ToSchema,
        )]
        pub enum $name {
            $($(#[$word_doc])* #[serde(rename = $text $(, alias = $alias)*)] $word,)*
        }

        impl $name {
            /// Every word, in the order of the contract.
            pub const ALL: &'static [Self] = &[$(Self::$word,)*];

            /// The word on the wire.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$word => $text,)*
                }
            }

            /// The word's place on disk: in index keys and sets.
            pub const fn place(self) -> u8 {
                self as u8
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// Where a case stands (ruling 2). Clients of contract 2.0 say `inquiry` for consulting.
    Status {
        /// Being talked about; nothing decided.
        Consulting "consulting" or "inquiry",
        /// Being worked on.
        Investigating "investigating",
        /// Ended with an answer.
        Resolved "resolved",
        /// Ended without one.
        Closed "closed",
    }
}

words! {
    /// Why a case ended (reference facts 1.4, 1.5).
    ClosureReason {
        /// The fault is gone.
        Resolved "resolved",
        /// Nobody goes on with it.
        Abandoned "abandoned",
        /// Others took it over.
        Escalated "escalated",
        /// It was only a question.
        ConsultingOnly "consulting_only",
        /// Another case is about the same.
        Duplicate "duplicate",
        /// Anything else.
        Other "other",
        /// Contract 2.0: it was only a question.
        InquiryOnly "inquiry_only",
        /// Contract 2.0: a solution is known and put off.
        SolutionDeferred "solution_deferred",
        /// Contract 2.0: the root cause cannot be found.
        RcaInfeasible "closed_rca_infeasible",
        /// Contract 2.0: the mitigation is good enough.
        MitigationSufficient "mitigation_sufficient",
        /// Contract 2.0: there is not enough evidence.
        InsufficientEvidence "closed_insufficient_evidence",
    }
}

words! {
    /// How urgent a case is.
    Priority {
        /// When there is time.
        Low "low",
        /// In its turn.
        Medium "medium",
        /// Before others.
        High "high",
        /// Now.
        Critical "critical",
    }
}

words! {
    /// How an investigation is led (reference facts 1.4).
    Strategy {
        /// The fault is happening.
        ActiveIncident "active_incident",
        /// The fault is over.
        PostMortem "post_mortem",
    }
}

words! {
    /// Steps of an investigation (reference facts 1.4); the first eight are counted.
    Milestone {
        /// The symptom is seen and real.
        SymptomVerified "symptom_verified",
        /// Who and what is affected is known.
        ScopeAssessed "scope_assessed",
        /// When it began is known.
        TimelineEstablished "timeline_established",
        /// What changed before is known.
        ChangesIdentified "changes_identified",
        /// Why is known.
        RootCauseIdentified "root_cause_identified",
        /// A cure is proposed.
        SolutionProposed "solution_proposed",
        /// The cure is in place.
        SolutionApplied "solution_applied",
        /// The cure works.
        SolutionVerified "solution_verified",
        /// The harm is contained; not counted.
        MitigationApplied "mitigation_applied",
    }
}

words! {
    /// What a participant may do in a case (seed 3.3.2), weakest first.
    ParticipantRole {
        /// Reads.
        Viewer "viewer",
        /// Reads and writes.
        Collaborator "collaborator",
        /// Does everything, also share, transfer and delete.
        Owner "owner",
    }
}

words! {
    /// What a piece of evidence speaks to (reference facts 1.0, 1.4).
    EvidenceCategory {
        /// That something is wrong.
        Symptom "symptom_evidence" or "SYMPTOM_EVIDENCE",
        /// Why it is wrong.
        Causal "causal_evidence" or "CAUSAL_EVIDENCE",
        /// That it is right again.
        Resolution "resolution_evidence",
        /// Anything else.
        Other "other" or "OTHER",
        /// That a symptom is absent.
        SymptomAbsence "symptom_absence_evidence" or "SYMPTOM_ABSENCE_EVIDENCE",
        /// That a cause is absent.
        CausalAbsence "causal_absence_evidence" or "CAUSAL_ABSENCE_EVIDENCE",
    }
}

words! {
    /// Where evidence comes from (reference facts 1.4).
    EvidenceSource {
        /// A log.
        LogFile "log_file",
        /// Time series.
        MetricsData "metrics_data",
        /// Configuration.
        ConfigFile "config_file",
        /// Program text.
        CodeReview "code_review",
        /// An image.
        Screenshot "screenshot",
        /// Output of a command.
        CommandOutput "command_output",
        /// Result of a query.
        DatabaseQuery "database_query",
        /// A trace or profile.
        TraceData "trace_data",
        /// Answer of an interface.
        ApiResponse "api_response",
        /// Somebody said so.
        UserReport "user_report",
        /// An alert.
        MonitoringAlert "monitoring_alert",
        /// Anything else.
        Other "other",
    }
}

words! {
    /// Whether evidence was handed over or typed in.
    EvidenceForm {
        /// A document.
        Document "document",
        /// Text that a person entered.
        UserInput "user_input",
    }
}

words! {
    /// Where a hypothesis stands (ruling 3).
    HypothesisStatus {
        /// An idea.
        Exploring "exploring",
        /// Being tested.
        Testing "testing",
        /// Confirmed.
        Validated "validated",
        /// Ruled out.
        Invalidated "invalidated",
    }
}

words! {
    /// What kind of cause a hypothesis names (reference facts 1.4).
    HypothesisCategory {
        /// Program text.
        Code "code",
        /// Configuration.
        Config "config",
        /// The environment it runs in.
        Environment "environment",
        /// The network.
        Network "network",
        /// The data.
        Data "data",
        /// The machine.
        Hardware "hardware",
        /// A third party.
        External "external",
        /// A person.
        Human "human",
        /// Anything else.
        Other "other",
    }
}

words! {
    /// How a piece of evidence bears on a hypothesis (reference facts 1.4).
    Stance {
        /// Speaks strongly for it.
        StronglySupports "strongly_supports",
        /// Speaks for it.
        Supports "supports" or "supporting",
        /// Says nothing either way.
        Neutral "neutral",
        /// Speaks against it.
        Contradicts "contradicts" or "refutes",
        /// Speaks strongly against it.
        StronglyContradicts "strongly_contradicts",
        /// Has nothing to do with it.
        Irrelevant "irrelevant",
    }
}

words! {
    /// What a solution is meant to do (seed 3.2).
    Category {
        /// Removes the cause.
        Fix "fix",
        /// Contains the harm.
        Mitigation "mitigation",
        /// Calls others.
        Escalation "escalation",
        /// Finds out more.
        Investigation "investigation",
    }
}

words! {
    /// Where a solution stands (ruling 3).
    SolutionStatus {
        /// Proposed.
        Proposed "proposed",
        /// Being put in place.
        Applying "applying",
        /// In place.
        Applied "applied",
        /// Did not work.
        Failed "failed",
    }
}

words! {
    /// Who speaks in a message.
    MessageRole {
        /// A person.
        User "user",
        /// The agent.
        Assistant "assistant" or "agent",
        /// The program.
        System "system",
    }
}

words! {
    /// What a message is (reference facts 1.3).
    MessageKind {
        /// A question.
        UserQuery "user_query",
        /// An answer.
        AgentResponse "agent_response",
        /// Something happened.
        SystemEvent "system_event",
        /// Something was uploaded.
        DataUpload "data_upload",
        /// A note.
        CaseNote "case_note",
        /// The case changed its status.
        StatusChange "status_change",
    }
}

words! {
    /// Where a tool call stands (reference facts 1.3).
    ToolCallStatus {
        /// Not begun.
        Pending "pending",
        /// Begun.
        Running "running",
        /// Done.
        Success "success",
        /// Failed.
        Error "error",
    }
}

words! {
    /// Where the processing of a file stands (seed 4.4).
    ProcessingStatus {
        /// Waiting for a worker.
        Pending "pending",
        /// Being analysed.
        Processing "processing",
        /// Analysed.
        Completed "completed",
        /// Could not be analysed.
        Failed "failed",
    }
}

words! {
    /// How a file came in (reference facts 1.3).
    FileSource {
        /// Sent as a file.
        FileUpload "file_upload",
        /// Pasted.
        Paste "paste",
        /// Photographed off the screen.
        Screenshot "screenshot",
        /// Taken from a page by the browser extension.
        PageInjection "page_injection",
        /// Made by an agent.
        AgentGenerated "agent_generated",
    }
}
