//! The operations of the budget's table, one after the other, each as long as RUNS blocks take:
//! one line "name median low high" in microseconds per operation.
use std::hint::black_box;
use std::time::{Duration, Instant};
use umbral_pre::*;

const RUNS: usize = 30;
const BLOCK: Duration = Duration::from_millis(8);

fn time(name: &str, mut f: impl FnMut()) {
    let start = Instant::now();
    let mut n = 0u32;
    while start.elapsed() < BLOCK {
        f();
        n += 1;
    }
    let mut runs: Vec<f64> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..n {
                f();
            }
            start.elapsed().as_secs_f64() * 1e6 / f64::from(n)
        })
        .collect();
    runs.sort_by(|a, b| a.total_cmp(b));
    println!(
        "{name} {:.3} {:.3} {:.3}",
        runs[RUNS / 2],
        runs[RUNS / 10],
        runs[RUNS * 9 / 10]
    );
}

fn main() {
    let (a, b) = (SecretKey::random(), SecretKey::random());
    let signer = Signer::new(SecretKey::random());
    let (delegating, receiving, verifying) =
        (a.public_key(), b.public_key(), signer.verifying_key());
    let plaintext = vec![7u8; 1024];
    let (capsule, ciphertext) = encrypt(&delegating, &plaintext).unwrap();
    let wire = capsule.to_bytes().unwrap();
    let kfrags = generate_kfrags(&a, &receiving, &signer, 1, 1, true, true);
    let kfrag_wire = kfrags[0].to_bytes().unwrap();
    let cfrag = reencrypt(&capsule, kfrags[0].clone());
    let cfrag_wire = cfrag.to_bytes().unwrap();
    let two = generate_kfrags(&a, &receiving, &signer, 2, 3, true, true);
    let two: Vec<_> = two[..2]
        .iter()
        .map(|k| reencrypt(&capsule, k.clone()))
        .collect();
    let secret = [9u8; 32];

    time("keygen", || {
        black_box(SecretKey::random().public_key());
    });
    time("encrypt-1k", || {
        black_box(encrypt(&delegating, &plaintext).unwrap());
    });
    time("wrap", || {
        black_box(encrypt(&delegating, &secret).unwrap());
    });
    time("decrypt-own-1k", || {
        black_box(decrypt_original(&a, &capsule, &ciphertext).unwrap());
    });
    time("capsule-parse", || {
        black_box(Capsule::from_bytes(&wire).unwrap());
    });
    time("kfrag-1of1", || {
        black_box(generate_kfrags(&a, &receiving, &signer, 1, 1, true, true));
    });
    time("kfrags-2of3", || {
        black_box(generate_kfrags(&a, &receiving, &signer, 2, 3, true, true));
    });
    time("verify-kfrag", || {
        let kfrag = KeyFrag::from_bytes(&kfrag_wire).unwrap();
        black_box(
            kfrag
                .verify(&verifying, Some(&delegating), Some(&receiving))
                .is_ok(),
        );
    });
    time("reencrypt", || {
        black_box(reencrypt(&capsule, kfrags[0].clone()));
    });
    time("verify-cfrag", || {
        let cfrag = CapsuleFrag::from_bytes(&cfrag_wire).unwrap();
        black_box(
            cfrag
                .verify(&capsule, &verifying, &delegating, &receiving)
                .is_ok(),
        );
    });
    time("decrypt-reencrypted-1of1-1k", || {
        black_box(
            decrypt_reencrypted(&b, &delegating, &capsule, [cfrag.clone()], &ciphertext).unwrap(),
        );
    });
    time("decrypt-reencrypted-2of3-1k", || {
        black_box(
            decrypt_reencrypted(&b, &delegating, &capsule, two.clone(), &ciphertext).unwrap(),
        );
    });
    time("sign", || {
        black_box(signer.sign(&plaintext));
    });
    let signature = signer.sign(&plaintext);
    time("verify", || {
        black_box(signature.verify(&verifying, &plaintext));
    });
}
