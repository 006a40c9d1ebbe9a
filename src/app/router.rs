//! Every route of the server on one application.

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
