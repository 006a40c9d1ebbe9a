//! What can be redacted, and how it is named.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident $name:literal $label:literal $secret:literal;)*) => {
        /// One kind of secret or personal datum.
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(rename_all = "snake_case")]
        pub enum Kind {
            $($(#[$doc])* $kind,)*
        }

        impl Kind {
            /// All kinds: personal data first, then secrets.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)*];

            /// Name in answers, for example `credit_card`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }

            /// Name inside a placeholder, for example `CREDIT_CARD`.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$kind => $label,)* }
            }

            /// Whether it opens a door (a secret) rather than names a person.
            pub const fn is_secret(self) -> bool {
                match self { $(Self::$kind => $secret,)* }
            }
        }
    };
}

kinds! {
    /// An e-mail address.
    Email "email" "EMAIL" false;
    /// A telephone number.
    Phone "phone" "PHONE" false;
    /// A payment card number (Luhn and issuer range).
    CreditCard "credit_card" "CREDIT_CARD" false;
    /// An International Bank Account Number (ISO 13616, mod 97).
    Iban "iban" "IBAN" false;
    /// A United States social security number.
    Ssn "ssn" "SSN" false;
    /// A driver's licence number, known by the words before it.
    DriverLicense "driver_license" "DRIVER_LICENSE" false;
    /// A passport number, known by the word before it.
    Passport "passport" "PASSPORT" false;
    /// An IP address that the policy counts as personal.
    Ip "ip" "IP" false;
    /// A hardware address of a network card.
    Mac "mac" "MAC" false;
    /// A password.
    Password "password" "PASSWORD" true;
    /// A password hash (crypt, bcrypt, Argon2, LDAP).
    PasswordHash "password_hash" "PASSWORD_HASH" true;
    /// A secret known by the name it is assigned to.
    Secret "secret" "SECRET" true;
    /// A token known by the name it is assigned to.
    Token "token" "TOKEN" true;
    /// An API key of a vendor without a kind of its own, or known by its name.
    ApiKey "api_key" "API_KEY" true;
    /// Credentials of an HTTP `Authorization` header.
    Authorization "authorization" "AUTHORIZATION" true;
    /// A session cookie.
    Cookie "cookie" "COOKIE" true;
    /// A value in a Kubernetes `Secret`.
    KubernetesSecret "kubernetes_secret" "KUBERNETES_SECRET" true;
    /// An Amazon Web Services access key id.
    AwsAccessKey "aws_access_key" "AWS_ACCESS_KEY" true;
    /// An Amazon Web Services secret key.
    AwsSecretKey "aws_secret_key" "AWS_SECRET_KEY" true;
    /// An Azure client secret or storage key.
    AzureKey "azure_key" "AZURE_KEY" true;
    /// A Google API key or OAuth token.
    GoogleKey "google_key" "GOOGLE_KEY" true;
    /// A GitHub token.
    GithubToken "github_token" "GITHUB_TOKEN" true;
    /// A GitLab token.
    GitlabToken "gitlab_token" "GITLAB_TOKEN" true;
    /// A Slack token or webhook.
    SlackToken "slack_token" "SLACK_TOKEN" true;
    /// A Stripe key.
    StripeKey "stripe_key" "STRIPE_KEY" true;
    /// An npm token.
    NpmToken "npm_token" "NPM_TOKEN" true;
    /// A PyPI token.
    PypiToken "pypi_token" "PYPI_TOKEN" true;
    /// A SendGrid key.
    SendgridKey "sendgrid_key" "SENDGRID_KEY" true;
    /// A Twilio key.
    TwilioKey "twilio_key" "TWILIO_KEY" true;
    /// A key of this program (`fm_...`).
    FaultmavenKey "faultmaven_key" "FAULTMAVEN_KEY" true;
    /// A JSON Web Token.
    Jwt "jwt" "JWT" true;
    /// A private key in PEM or PuTTY form.
    PrivateKey "private_key" "PRIVATE_KEY" true;
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
