//! Certificates of servers on the loopback, each vouching for itself: as much of X.509 as a test needs.

use std::{net::TcpStream, sync::Arc};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    crypto::aws_lc_rs::default_provider,
    pki_types::{CertificateDer, PrivatePkcs8KeyDer},
};

/// `ecdsa-with-SHA256`, `id-ecPublicKey` with `prime256v1`, `commonName`, `subjectAltName`.
const SIGNED: &[u8] = b"\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02";
const KEY: &[u8] = b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
const NAME: &[u8] = b"\x06\x03\x55\x04\x03";
const OTHER_NAMES: &[u8] = b"\x06\x03\x55\x1d\x11";

const SEQUENCE: u8 = 0x30;

/// A value of DER with its tag and its length.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    let head = match length {
        [0, short @ ..0x80] => vec![tag, short],
        [0, length] => vec![tag, 0x81, length],
        [high, low] => vec![tag, 0x82, high, low],
    };
    [head, content].concat()
}

/// A certificate for 127.0.0.1, with its key.
pub(super) struct Certificate {
    der: Vec<u8>,
    key: Vec<u8>,
}

impl Certificate {
    /// A new one, with a key of its own.
    pub(super) fn new() -> Self {
        let chance = SystemRandom::new();
        let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &chance).unwrap().as_ref().to_vec();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &key).unwrap();
        let name = der(SEQUENCE, &[&der(0x31, &[&der(SEQUENCE, &[NAME, &der(0x0c, &[b"a test"])])])]);
        let valid = der(SEQUENCE, &[&der(0x17, &[b"200101000000Z"]), &der(0x17, &[b"491231235959Z"])]);
        let public = der(0x03, &[&[0], pair.public_key().as_ref()]);
        let address = der(0x04, &[&der(SEQUENCE, &[&der(0x87, &[&[127, 0, 0, 1]])])]);
        let signed_as = der(SEQUENCE, &[SIGNED]);
        let told = der(
            SEQUENCE,
            &[
                // Version 3, which has extensions, and a number.
                &der(0xa0, &[&der(0x02, &[&[2]])]),
                &der(0x02, &[&[1]]),
                &signed_as,
                &name,
                &valid,
                &name,
                &der(SEQUENCE, &[&der(SEQUENCE, &[KEY]), &public]),
                &der(0xa3, &[&der(SEQUENCE, &[&der(SEQUENCE, &[OTHER_NAMES, &address])])]),
            ],
        );
        let signature = der(0x03, &[&[0], pair.sign(&chance, &told).unwrap().as_ref()]);
        Self { der: der(SEQUENCE, &[&told, &signed_as, &signature]), key }
    }

    /// As files of certificates have it.
    pub(super) fn pem(&self) -> String {
        let text = BASE64.encode(&self.der);
        let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
    }

    /// What a server needs that shows it.
    pub(super) fn config(&self) -> Arc<ServerConfig> {
        let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
        let key = PrivatePkcs8KeyDer::from(self.key.clone()).into();
        let chain = vec![CertificateDer::from(self.der.clone())];
        let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        Arc::new(builder.with_single_cert(chain, key).unwrap())
    }
}

/// A connection that begins with a handshake.
pub(super) fn over_tls(config: &Arc<ServerConfig>, stream: TcpStream) -> StreamOwned<ServerConnection, TcpStream> {
    StreamOwned::new(ServerConnection::new(Arc::clone(config)).unwrap(), stream)
}
