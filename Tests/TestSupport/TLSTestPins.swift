import COpenSSL

/// Pins as another program makes them: `openssl x509 -pubkey`, `openssl dgst -sha256`, `base64`.
package enum TLSTestPins {
  package static func pin(of identity: TLSTestIdentity) -> String {
    guard let bio = BIO_new(BIO_s_mem()) else { return "" }
    defer { BIO_free(bio) }
    i2d_PUBKEY_bio(bio, identity.key)
    var key = [UInt8](repeating: 0, count: Int(BIO_ctrl_pending(bio)))
    var count = 0
    BIO_read_ex(bio, &key, key.count, &count)
    var digest = [UInt8](repeating: 0, count: 32)
    SHA256(key, count, &digest)
    var text = [UInt8](repeating: 0, count: 45)
    EVP_EncodeBlock(&text, digest, 32)
    return String(decoding: text.prefix(44), as: UTF8.self)
  }
}
