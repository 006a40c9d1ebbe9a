//! Every route of the server on one application.

use super::admin;
use super::changes::{self, Feed};
use super::maintenance::Maintenance;
use super::openapi::{MOUNTS, document};
use super::operator::{self, Operator};
use crate::backup::{self, Backups};
use crate::jobs::Bodies;
use crate::knowledge::Knowledge;
use crate::ops::health::Readiness;
use crate::ops::metrics::Metrics;
use crate::reports;
use crate::uploads::Uploads;
use crate::users::SignIn;
use crate::web::{Methods, Shell};
use crate::{cases, jobs, knowledge, ops, uploads, users};
use actix_web::web::{Data, Redirect, ServiceConfig, redirect, scope};
use std::collections::HashSet;
use utoipa_swagger_ui::SwaggerUi;

/// What the routes work with; one value shared by all workers.
#[derive(Clone)]
pub(super) struct Parts {
    pub(super) shell: Data<Shell>,
    pub(super) methods: Data<Methods>,
    pub(super) metrics: Data<Metrics>,
    pub(super) readiness: Data<Readiness>,
    pub(super) sign_in: Data<SignIn>,
    pub(super) knowledge: Data<Knowledge>,
    pub(super) uploads: Data<Uploads>,
    pub(super) backups: Data<Backups>,
    pub(super) operator: Data<Operator>,
    pub(super) maintenance: Data<Maintenance>,
    pub(super) feed: Data<Feed>,
    pub(super) bodies: Data<Bodies>,
    pub(super) halted: Data<jobs::Halted>,
}

/// The methods every path knows, for 405 and OPTIONS.
pub(super) fn methods() -> Methods {
    Methods::of(&document(), &[MOUNTS[0], MOUNTS[1], ""])
}

fn rooms(config: &mut ServiceConfig) {
    users::routes(config);
    cases::http::routes(config);
    uploads::routes(config);
    knowledge::routes(config);
    reports::routes(config);
    backup::routes(config);
    jobs::routes(config);
    admin::routes(config);
    changes::routes(config);
}

/// Routes whose POST, PUT or PATCH is served while the disk is full: those that read, those that
/// sign in and out, and the care of the store that makes room again.
const OPEN_WHEN_FULL: [&str; 9] = [
    "/auth/login",
    "/auth/logout",
    "/auth/refresh",
    "/auth/dev-login",
    "/data/classify",
    "/knowledge/search",
    "/admin/check",
    "/admin/compact",
    "/admin/changes/{consumer}",
];

/// The same as the shell asks for them: with every mount.
pub(super) fn open_when_full() -> HashSet<String> {
    let mounted = |path: &str| MOUNTS.map(|mount| format!("{mount}{path}"));
    let rooms = OPEN_WHEN_FULL.iter().copied().flat_map(mounted);
    rooms.chain(operator::PATHS.map(str::to_owned)).collect()
}

impl Parts {
    /// Mounts everything; the middleware around it is the caller's.
    pub(super) fn configure(&self, config: &mut ServiceConfig) {
        config
            .app_data(self.shell.clone())
            .app_data(self.methods.clone())
            .app_data(self.metrics.clone())
            .app_data(self.readiness.clone())
            .app_data(self.sign_in.clone())
            .app_data(self.knowledge.clone())
            .app_data(self.uploads.clone())
            .app_data(self.backups.clone())
            .app_data(self.operator.clone())
            .app_data(self.maintenance.clone())
            .app_data(self.feed.clone())
            .app_data(self.bodies.clone())
            .app_data(self.halted.clone());
        for mount in MOUNTS {
            config.service(scope(mount).configure(rooms));
        }
        ops::http::routes(config);
        users::pages(config);
        operator::routes(config);
        config
            .service(redirect("/", "/docs/"))
            .service(Redirect::new("/docs", "/docs/"))
            .service(SwaggerUi::new("/docs/{_:.*}").url("/openapi.json", document()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_open_on_a_full_disk_exists() {
        let api = serde_json::to_value(document()).unwrap();
        for path in OPEN_WHEN_FULL {
            let item = &api["paths"][format!("{}{path}", MOUNTS[0])];
            let writes = ["post", "put", "patch"].iter().any(|method| item[method].is_object());
            assert!(writes, "{path} is no route that the shell would refuse");
        }
    }
}
