//! Detectors of secrets. Each starts where its trigger word was found and looks a bounded way
//! around it.

mod assignment;
mod command;
mod header;
mod key_block;
mod key_name;
mod kubernetes;
mod token;
mod url;
mod value;

pub(super) use assignment::assignment;
pub(super) use command::{command_password, identified_by};
pub(super) use header::{authorization, bearer, cookie};
pub(super) use key_block::private_key;
pub(super) use kubernetes::kubernetes_secret;
pub(super) use token::{
    TOKENS, atlas, azure_client_secret, bare_aws_secret, jwt, password_hash, slack_webhook,
    telegram, vendor_token,
};
pub(super) use url::{oracle_login, signature, userinfo};
