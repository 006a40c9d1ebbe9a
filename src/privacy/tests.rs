//! Rules of redaction, as tables.

use super::{Addresses, Kind, Numbers, Placeholders, Policy, Redactor, Salt};
use proptest::prelude::{ProptestConfig, any, prop, prop_assert_eq, proptest};

fn placeholders() -> Placeholders {
    Placeholders::new(Salt::new([7; 32]))
}

fn redact(text: &str) -> String {
    Redactor::default().redact(text, &mut placeholders()).text.into_owned()
}

fn check(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        assert_eq!(redact(text), *expected, "redacting {text}");
        assert_eq!(redact(expected), *expected, "redacting twice {text}");
    }
}

/// Joined at run time, so that no scanner takes these lines for leaked tokens.
fn joined(parts: &[&str]) -> String {
    parts.concat()
}

#[test]
fn names_announce_secrets_in_every_spelling() {
    check(&[
        ("DB_PASSWORD=8ae31cacf141669ddfb5da", "DB_PASSWORD=<PASSWORD_1>"),
        ("export PGPASSWORD='hunter two'", "export PGPASSWORD='<PASSWORD_1>'"),
        ("password: hunter2 # old", "password: <PASSWORD_1> # old"),
        ("spring.datasource.password=s3cr3t,;x", "spring.datasource.password=<PASSWORD_1>"),
        ("{\"password\": \"a\\\"b\", \"n\": 1}", "{\"password\": \"<PASSWORD_1>\", \"n\": 1}"),
        ("{\"password\": 12345}", "{\"password\": \"<PASSWORD_1>\"}"),
        (
            "msg=\"{\\\"password\\\":\\\"x9y8\\\"}\"",
            "msg=\"{\\\"password\\\":\\\"<PASSWORD_1>\\\"}\"",
        ),
        ("<db><password>hunter2</password></db>", "<db><password><PASSWORD_1></password></db>"),
        (
            "<entry key=\"db.password\" value=\"tiger\"/>",
            "<entry key=\"db.password\" value=\"<PASSWORD_1>\"/>",
        ),
        ("- name: DB_PASSWORD\n  value: tiger9", "- name: DB_PASSWORD\n  value: <PASSWORD_1>"),
        ("mysqld --password=tiger --port 3306", "mysqld --password=<PASSWORD_1> --port 3306"),
        ("tool --password tiger7 --verbose", "tool --password <PASSWORD_1> --verbose"),
        ("GET /login?user=a&password=b%21c&x=1", "GET /login?user=a&password=<PASSWORD_1>&x=1"),
        ("Server=db;Uid=app;Pwd=tiger;", "Server=db;Uid=app;Pwd=<PASSWORD_1>;"),
        ("ALTER USER app WITH PASSWORD 'tiger'", "ALTER USER app WITH PASSWORD '<PASSWORD_1>'"),
        ("CREATE USER a IDENTIFIED BY 'tiger'", "CREATE USER a IDENTIFIED BY '<PASSWORD_1>'"),
        ("machine h login u password p4ss", "machine h login u password <PASSWORD_1>"),
        ("curl -u admin:tiger https://h/", "curl -u admin:<PASSWORD_1> https://h/"),
        ("sshpass -p tiger ssh h", "sshpass -p <PASSWORD_1> ssh h"),
        ("password:\n    secure: thequickbrownfox", "password:\n    secure: <PASSWORD_1>"),
        ("clientSecret = 'a1B2c3D4e5'", "clientSecret = '<SECRET_1>'"),
        (
            "low_entropy_secret: !!binary MjNjcnh1IDJieXJpdXYy",
            "low_entropy_secret: !!binary <SECRET_1>",
        ),
        (
            "getenv(\"api_token\", \"dafa7817-e246-48f3-91a7-e87653d587b8\")",
            "getenv(\"api_token\", \"<TOKEN_1>\")",
        ),
        ("x-api-key: 9f86d081884c7d659a2feaa0c55ad015", "x-api-key: <API_KEY_1>"),
        ("SNYK_TOKEN ?= \"12345678-ABCD-ABCD-ABCD-1234567890AB\"", "SNYK_TOKEN ?= \"<TOKEN_1>\""),
        ("AccountKey=Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MA==;", "AccountKey=<AZURE_KEY_1>;"),
        ("mimi=gX69YO4CvBsVjzAwYxdGyDd30t5+9ez31gKATtj4", "mimi=<AWS_SECRET_KEY_1>"),
    ]);
}

#[test]
fn tokens_are_known_by_their_shape() {
    let body = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8";
    let cases = [
        (joined(&["AKIA", "TESTTESTTESTTEST"]), Kind::AwsAccessKey),
        (joined(&["gh", "p_", body]), Kind::GithubToken),
        (joined(&["glpat", "-", "a1B2c3D4e5F6g7H8i9J0"]), Kind::GitlabToken),
        (
            joined(&["xox", "b-263594206564-2343594206574-FGqddMF8t08v8N7Oq4i57vs1"]),
            Kind::SlackToken,
        ),
        (joined(&["sk_", "live_", body]), Kind::StripeKey),
        (joined(&["AIza", "Sy", "NHxIf32IQ1a1yjl3ZJIqKZqzLAK1XhDk-"]), Kind::GoogleKey),
        (joined(&["npm", "_", body]), Kind::NpmToken),
        (joined(&["pypi-", "AgEIcHlwaS5vcmc", body, body]), Kind::PypiToken),
        (joined(&["SG", ".", "a1B2c3D4e5F6g7H8i9J0k1", ".", body, "S9t0U1v"]), Kind::SendgridKey),
        (joined(&["SK", "0123456789abcdef0123456789abcdef"]), Kind::TwilioKey),
        (joined(&["fm", "_", body]), Kind::FaultmavenKey),
        (joined(&["abc8Q", "~", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6"]), Kind::AzureKey),
        (joined(&["eyJhbGciOiJIUzI1NiJ9", ".", "eyJzdWIiOiIxIn0", ".", "c2ln"]), Kind::Jwt),
        (joined(&["$apr1$", "zQ3p9rCc$EoMwTbhuH2e3T8AwzY0xC/"]), Kind::PasswordHash),
    ];
    for (token, kind) in cases {
        let text = format!("saw {token}, then \"{token}\"\\n{token}");
        let label = kind.label();
        let expected = format!("saw <{label}_1>, then \"<{label}_1>\"\\n<{label}_1>");
        assert_eq!(redact(&text), expected, "{token}");
    }
}

#[test]
fn headers_and_urls_lose_their_credentials_only() {
    check(&[
        ("Authorization: Basic dXNlcjpwYXNz", "Authorization: Basic <AUTHORIZATION_1>"),
        ("authorization: Bearer abcdef0123456789", "authorization: Bearer <AUTHORIZATION_1>"),
        ("-H 'Authorization: token abcdef0123'", "-H 'Authorization: token <AUTHORIZATION_1>'"),
        ("sent Basic dXNlcjpwYXNz to h", "sent Basic <AUTHORIZATION_1> to h"),
        ("postgres://app:t!ger@db:5432/x", "postgres://app:<PASSWORD_1>@db:5432/x"),
        ("redis://:tiger@cache/0", "redis://:<PASSWORD_1>@cache/0"),
        ("https://cafebabe:deadbeef@gems.example.com/", "https://<PASSWORD_1>@gems.example.com/"),
        (
            "jdbc:oracle:thin:scott/tiger@//h:1521/x",
            "jdbc:oracle:thin:scott/<PASSWORD_1>@//h:1521/x",
        ),
        (
            "Cookie: theme=dark; JSESSIONID=0123456789ABCDEF; lang=de",
            "Cookie: theme=dark; JSESSIONID=<COOKIE_1>; lang=de",
        ),
        ("/b?sv=2020&sig=a1B2c3D4e5F6g7H8i9%3D&se=1", "/b?sv=2020&sig=<TOKEN_1>&se=1"),
    ]);
}

#[test]
fn private_keys_keep_their_line_count() {
    let key = joined(&[
        "-----BEGIN RSA ",
        "PRIVATE KEY-----\nMIIB\nAAAA\n-----END RSA ",
        "PRIVATE KEY-----",
    ]);
    check(&[
        (&format!("a\n{key}\nb"), "a\n<PRIVATE_KEY_1>\n\n\n\nb"),
        (
            &format!("k: |\n  {}\nb: 1", key.replace('\n', "\n  ")),
            "k: |\n  <PRIVATE_KEY_1>\n\n\n\nb: 1",
        ),
        (&format!("\"{}\"", key.replace('\n', "\\n")), "\"<PRIVATE_KEY_1>\""),
        (&key.replace('\n', "\r\n"), "<PRIVATE_KEY_1>\r\n\r\n\r\n"),
        (
            "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
            "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
        ),
    ]);
    let torn = joined(&["-----BEGIN ", "PRIVATE KEY-----\nMIIB\nthis is prose"]);
    assert_eq!(redact(&torn), "<PRIVATE_KEY_1>\n\nthis is prose");
}

#[test]
fn values_of_a_kubernetes_secret_are_secret() {
    check(&[
        (
            "kind: Secret\nmetadata:\n  name: a\ndata:\n  user: YWRtaW4=\n  conf: |\n    x: 1\n    y: 2\ntype: Opaque\n---\nkind: ConfigMap\ndata:\n  z: 1\n",
            "kind: Secret\nmetadata:\n  name: a\ndata:\n  user: <KUBERNETES_SECRET_1>\n  conf: |\n    <KUBERNETES_SECRET_2>\n\ntype: Opaque\n---\nkind: ConfigMap\ndata:\n  z: 1\n",
        ),
        (
            "{\"kind\":\"Secret\",\"data\":{\"u\":\"YWRtaW4=\"},\"type\":\"Opaque\"}",
            "{\"kind\":\"Secret\",\"data\":{\"u\":\"<KUBERNETES_SECRET_1>\"},\"type\":\"Opaque\"}",
        ),
    ]);
}

#[test]
fn personal_data_is_told_by_checksum_and_context() {
    check(&[
        ("mail ada@example.org, now", "mail <EMAIL_1>, now"),
        ("/u?m=ada%40example.org&x", "/u?m=<EMAIL_1>&x"),
        ("Ada <ada.l@example.co.uk>.", "Ada <<EMAIL_1>>."),
        ("call me at 027 896 92 86 I'd", "call me at <PHONE_1> I'd"),
        ("Desk: 986.291.2294x751", "Desk: <PHONE_1>"),
        ("+1-944-435-4352x04732 mobile", "<PHONE_1> mobile"),
        ("from +14155550132 to (415) 555-0199", "from <PHONE_1> to <PHONE_2>"),
        ("{\"phone\": 4155550132}", "{\"phone\": \"<PHONE_1>\"}"),
        ("card 4532276644577020 lost", "card <CREDIT_CARD_1> lost"),
        ("[1, 4532276644577020, 2]", "[1, \"<CREDIT_CARD_1>\", 2]"),
        ("4929-6495-8333-3657", "<CREDIT_CARD_1>"),
        ("amex 371449635398431 ok", "amex <CREDIT_CARD_1> ok"),
        ("IBAN DE89 3704 0044 0532 0130 00.", "IBAN <IBAN_1>."),
        ("SSN: 403-57-9558", "SSN: <SSN_1>"),
        (
            "My driver's license number is 481195160",
            "My driver's license number is <DRIVER_LICENSE_1>",
        ),
        ("passport no. C01X00T47", "passport no. <PASSPORT_1>"),
        ("from 203.0.113.9:5060 to 10.0.0.7", "from <IP_1>:5060 to 10.0.0.7"),
        ("peer 2001:db8::c001 and fe80::1", "peer <IP_1> and fe80::1"),
        ("ether 00:1b:44:11:3a:b7 up", "ether <MAC_1> up"),
        ("MAC=00:08:a2:0c:1f:12:00:c8:8b:e2:d6:87:08:00", "MAC=<MAC_1>:<MAC_2>:08:00"),
    ]);
}

#[test]
fn look_alikes_stay() {
    for text in [
        "commit 9a038989604e8da62ecddbe2094b16ce1b778be1",
        "id 550e8400-e29b-41d4-a716-446655440000 trace c759f29f5f1e2162be56f32dd1e77fce",
        "2014-07-29 17:41:41,536 - INFO [zk:QuorumPeer@738] - port 2181",
        "at 1678901234 or 1678901234567 or 1678901234567890123 ns",
        "1 2 3 2024-02-30 12:00:00 +0200 20240101120000",
        "version 1.2.3.4 Chrome/96.0.4664.110 app/5.0.1.2 v4.5.6.7",
        "127.0.0.1 10.1.2.3 192.168.0.1 169.254.1.1 0.0.0.0 255.255.255.0 100.64.0.1",
        "HTTP/1.1\" 200 512 1024 \"-\" 404 522 1234",
        "blk_-1608999687919862906 size 67108864 from /10.250.10.6:40524",
        "password mismatch? authentication failure; Failed password for root",
        "invalid username or password\",\"level\":\"error\"",
        "password=${DB_PASSWORD} token: {{ .Values.token }} secret=<secret> pwd=%s",
        "password: str = Field(...), token: Optional[str] = None",
        "self.password = config.password; token = getToken()",
        "next_token=AbC123dEf456 csrf-token=Mj2qykJO5rELyHgezQ69nzUX0",
        "public_key = \"9Cnzj4p4WGeKLs1Pt8QuKUpRKfFLfRYC9AIKjbJTWit\"",
        "secretName: web-tls-2 key_name: prod5zyxlmy-cmk access_token_url='https://h/o/token'",
        "UserSecretsId>79a3edd0-2092-40a2-a04d-dcb46d5ca9ed<",
        "aws_access_key: AKIAIOSFODNN7EXAMPLE key = AKIAXXXXXXXXXXXXXXXX",
        "getty@tty1.service logo@2x.png git@github.com:org/repo.git user@host",
        "message-id=<20240101.4F2A@mx.example.org>",
        "std::collections::HashMap dead::beef ab:cd 12:34:56 00:00:00:00:00:00",
        "Software license 481195160 key 12",
        "xoxb-my-bot-token gho_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx task-manager-key-length",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "author = \"x\"; keyword: \"Befaehigung_P2\"; monkey=banana12345",
        "order 4532276644577021 span_id=4532276644577020",
        "syscall 1234567890 phone_home=true mobile: yes",
    ] {
        assert_eq!(redact(text), text);
    }
}

#[test]
fn a_value_keeps_its_number_throughout_a_case() {
    let redactor = Redactor::default();
    let mut state = placeholders();
    let first = redactor.redact("a@x.org b@x.org A@X.org", &mut state);
    assert_eq!(first.text, "<EMAIL_1> <EMAIL_2> <EMAIL_1>");
    assert_eq!(first.counts.get(&Kind::Email), Some(&3));
    assert!(first.has_personal() && !first.has_secrets());

    let stored = serde_json::to_string(state.numbers()).unwrap();
    assert!(!stored.contains("x.org"));
    let numbers: Numbers = serde_json::from_str(&stored).unwrap();
    assert_eq!(numbers.len(), 2);
    let mut later = Placeholders::restore(Salt::new([7; 32]), numbers);
    assert_eq!(redactor.redact("b@x.org c@x.org", &mut later).text, "<EMAIL_2> <EMAIL_3>");
}

#[test]
fn the_policy_decides_about_addresses() {
    let text = "203.0.113.9 10.0.0.7 00:1b:44:11:3a:b7 a@x.org password=tiger";
    for (policy, expected) in [
        (
            Policy { addresses: Addresses::All, ..Policy::default() },
            "<IP_1> <IP_2> <MAC_1> <EMAIL_1> password=<PASSWORD_1>",
        ),
        (
            Policy { personal: false, addresses: Addresses::None, mac: false },
            "203.0.113.9 10.0.0.7 00:1b:44:11:3a:b7 a@x.org password=<PASSWORD_1>",
        ),
    ] {
        assert_eq!(Redactor::new(&policy).redact(text, &mut placeholders()).text, expected);
    }
}

#[test]
fn time_grows_with_the_text_and_no_faster() {
    for seed in [
        "password=",
        "-----BEGIN PRIVATE KEY-----\n",
        "eyJ",
        "a@",
        "kind: Secret\n",
        "://",
        "1 ",
        "::",
        "key key ",
        "\\\\\\\"",
        "4111 ",
        "Authorization: ",
        "cookie: ",
        "curl -u ",
        "%40%40",
        "(",
        "+1",
    ] {
        let text = seed.repeat(200_000 / seed.len());
        let before = std::time::Instant::now();
        let lines = redact(&text).lines().count();
        assert_eq!(lines, text.lines().count(), "{seed}");
        assert!(before.elapsed().as_secs() < 20, "{seed} took {:?}", before.elapsed());
    }
}

/// Pieces that exercise the detectors and each other's surroundings.
const PIECES: [&str; 44] = [
    "password",
    "secret",
    "token",
    "api_key",
    "=",
    ": ",
    "\"",
    "'",
    ",",
    " ",
    "\n",
    "\r\n",
    "  ",
    "<",
    ">",
    "{",
    "}",
    "@",
    "x.org",
    "ada",
    "203.0.113.9",
    "10.0.0.1",
    "4532276644577020",
    "415-555-0132",
    "+14155550132",
    "phone",
    "call me ",
    "://",
    "user:pw",
    "/",
    "Bearer ",
    "Authorization: ",
    "a1B2c3D4e5F6g7H8i9J0",
    "-----BEGIN PRIVATE KEY-----",
    "-----END PRIVATE KEY-----",
    "kind: Secret",
    "data:",
    "\\n",
    "\u{e9}",
    "1",
    "403-57-9558",
    "00:1b:44:11:3a:b7",
    "Cookie: sid=",
    ";",
];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn redaction_keeps_lines_and_is_done_after_one_pass(
        pieces in prop::collection::vec(prop::sample::select(PIECES.to_vec()), 0..40)
    ) {
        let text = pieces.concat();
        let once = redact(&text);
        prop_assert_eq!(once.matches('\n').count(), text.matches('\n').count());
        prop_assert_eq!(redact(&once), once, "{:?}", text);
    }

    #[test]
    fn any_text_is_taken(text in any::<String>()) {
        let once = redact(&text);
        prop_assert_eq!(once.matches('\n').count(), text.matches('\n').count());
    }
}
