//! The stock Rust package as a peer: `make FILE` writes cases, `check FILE` opens ours.
use serde_json::{json, Value};
use umbral_peer::secret_key;
use umbral_pre::*;

const GRID: [(usize, usize, bool, bool); 4] = [
    (1, 1, true, true),
    (1, 2, true, false),
    (2, 3, true, true),
    (3, 5, false, false),
];
const SIZES: [usize; 5] = [0, 1, 32, 1024, 65536];

fn raw(v: &Value, key: &str) -> Vec<u8> {
    hex::decode(v[key].as_str().expect(key)).expect(key)
}

fn public_key(v: &Value, key: &str) -> PublicKey {
    PublicKey::try_from_compressed_bytes(&raw(v, key)).expect(key)
}

fn check(c: &Value) {
    let (a, b) = (
        secret_key(&raw(c, "delegating_sk")),
        secret_key(&raw(c, "receiving_sk")),
    );
    let (delegating, receiving) = (
        public_key(c, "delegating_pk"),
        public_key(c, "receiving_pk"),
    );
    let verifying = public_key(c, "verifying_pk");
    assert!(
        a.public_key() == delegating && b.public_key() == receiving,
        "keys"
    );
    let capsule = Capsule::from_bytes(&raw(c, "capsule")).expect("capsule");
    assert_eq!(
        capsule.to_bytes().unwrap().to_vec(),
        raw(c, "capsule"),
        "capsule bytes"
    );
    let (plaintext, ciphertext) = (raw(c, "plaintext"), raw(c, "ciphertext"));
    let opened = decrypt_original(&a, &capsule, &ciphertext).expect("decrypt_original");
    assert_eq!(opened.to_vec(), plaintext, "plaintext");
    let mut fresh = Vec::new();
    for k in c["kfrags"].as_array().expect("kfrags") {
        let kfrag = KeyFrag::from_bytes(&raw(k, "kfrag")).expect("kfrag");
        assert_eq!(
            kfrag.to_bytes().unwrap().to_vec(),
            raw(k, "kfrag"),
            "kfrag bytes"
        );
        let verified = kfrag
            .verify(&verifying, Some(&delegating), Some(&receiving))
            .map_err(|e| e.0)
            .expect("verify kfrag");
        fresh.push(reencrypt(&capsule, verified));
    }
    let mut stored = Vec::new();
    for f in c["cfrags"].as_array().expect("cfrags") {
        let cfrag = CapsuleFrag::from_bytes(&raw(f, "cfrag")).expect("cfrag");
        assert_eq!(
            cfrag.to_bytes().unwrap().to_vec(),
            raw(f, "cfrag"),
            "cfrag bytes"
        );
        let verified = cfrag
            .verify(&capsule, &verifying, &delegating, &receiving)
            .map_err(|e| e.0)
            .expect("verify cfrag");
        stored.push(verified);
    }
    let t = c["threshold"].as_u64().expect("threshold") as usize;
    for cfrags in [
        &stored[..t],
        &stored[stored.len() - t..],
        &stored[..],
        &fresh[..t],
    ] {
        let opened = decrypt_reencrypted(&b, &delegating, &capsule, cfrags.to_vec(), &ciphertext)
            .expect("decrypt");
        assert_eq!(opened.to_vec(), plaintext, "plaintext");
    }
    let signature =
        Signature::try_from_be_bytes(&raw(&c["message_signature"], "be")).expect("signature");
    assert!(signature.verify(&verifying, &plaintext), "signature");
    assert_eq!(
        signature.to_der_bytes().to_vec(),
        raw(&c["message_signature"], "der"),
        "DER"
    );
}

fn key_hex(sk: &SecretKey) -> String {
    hex::encode(sk.to_be_bytes().as_secret())
}

fn make(row: (usize, usize, bool, bool), size: usize) -> Value {
    let (t, n, sign_delegating, sign_receiving) = row;
    let (a, b, s) = (
        SecretKey::random(),
        SecretKey::random(),
        SecretKey::random(),
    );
    let signing_sk = key_hex(&s);
    let signer = Signer::new(s);
    let plaintext: Vec<u8> = (0..size).map(|i| (i * 7 % 251) as u8).collect();
    let (capsule, ciphertext) = encrypt(&a.public_key(), &plaintext).expect("encrypt");
    let kfrags = generate_kfrags(
        &a,
        &b.public_key(),
        &signer,
        t,
        n,
        sign_delegating,
        sign_receiving,
    );
    let signature = signer.sign(&plaintext);
    let cfrag = |k: &VerifiedKeyFrag| {
        let c = reencrypt(&capsule, k.clone());
        json!({"cfrag": hex::encode(c.to_bytes().unwrap()), "cfrag_simple": hex::encode(c.to_bytes_simple())})
    };
    json!({
        "id": format!("rust/{t}of{n}/{size}"),
        "threshold": t,
        "shares": n,
        "sign_delegating_key": sign_delegating,
        "sign_receiving_key": sign_receiving,
        "delegating_sk": key_hex(&a),
        "delegating_pk": hex::encode(a.public_key().to_compressed_bytes()),
        "receiving_sk": key_hex(&b),
        "receiving_pk": hex::encode(b.public_key().to_compressed_bytes()),
        "signing_sk": signing_sk,
        "verifying_pk": hex::encode(signer.verifying_key().to_compressed_bytes()),
        "plaintext_size": size,
        "plaintext": hex::encode(&plaintext),
        "ciphertext": hex::encode(ciphertext),
        "capsule": hex::encode(capsule.to_bytes().unwrap()),
        "capsule_simple": hex::encode(capsule.to_bytes_simple()),
        "kfrags": kfrags.iter().map(|k| json!({"kfrag": hex::encode(k.to_bytes().unwrap())})).collect::<Vec<_>>(),
        "cfrags": kfrags.iter().map(cfrag).collect::<Vec<_>>(),
        "message_signature": {
            "be": hex::encode(signature.to_be_bytes()),
            "der": hex::encode(signature.to_der_bytes()),
        },
    })
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if args[1] == "make" {
        let vectors: Vec<Value> = GRID
            .iter()
            .flat_map(|row| SIZES.iter().map(|size| make(*row, *size)))
            .collect();
        let file = json!({"schema": "umbral-kat/1", "kind": "positive", "vectors": vectors});
        std::fs::write(&args[2], file.to_string()).expect("write");
        return;
    }
    let file: Value =
        serde_json::from_str(&std::fs::read_to_string(&args[2]).expect("read")).expect("JSON");
    let cases = file["vectors"].as_array().expect("vectors");
    let failed = cases
        .iter()
        .filter(|c| std::panic::catch_unwind(|| check(c)).is_err())
        .count();
    println!("{} passed, {} failed", cases.len() - failed, failed);
    std::process::exit((failed > 0) as i32);
}
