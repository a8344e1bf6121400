//! What the peer and the benchmark share: keys from bytes.
use umbral_pre::SecretKey;

/// The package makes secret boxes only itself: take one and overwrite what is in it.
pub fn secret_key(bytes: &[u8]) -> SecretKey {
    let mut secret = SecretKey::random().to_be_bytes();
    secret.as_mut_secret().copy_from_slice(bytes);
    SecretKey::try_from_be_bytes(&secret).expect("a secret key")
}
