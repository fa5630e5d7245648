import COpenSSL

/// The SHA-256 digest of a public key, as RFC 7469, 2.4, has it: over the certificate's
/// SubjectPublicKeyInfo, in base64.
package struct TLSPin: Hashable, Sendable {
  package let base64: String

  /// `nil` for what is not 32 bytes in base64 with padding, in the one way to write them.
  package init?(base64 text: String) {
    let bytes = Array(text.utf8)
    guard bytes.count == 44, bytes.last == UInt8(ascii: "="),
      bytes.dropLast().allSatisfy(Self.isDigit),
      // The last digit carries four bits; the two below are zero.
      "AEIMQUYcgkosw048".utf8.contains(bytes[42])
    else { return nil }
    base64 = text
  }

  /// The pin of a certificate's key; `nil` where OpenSSL cannot write the key down.
  init?(of certificate: OpaquePointer) {
    guard let key = X509_get_X509_PUBKEY(certificate) else { return nil }
    let count = Int(i2d_X509_PUBKEY(key, nil))
    guard count > 0 else { return nil }
    var encoded = [UInt8](repeating: 0, count: count)
    let written = encoded.withUnsafeMutableBufferPointer { buffer in
      var end = buffer.baseAddress
      return i2d_X509_PUBKEY(key, &end)
    }
    var digest = [UInt8](repeating: 0, count: 32)
    var digestBytes: UInt32 = 0
    guard written == count,
      EVP_Digest(encoded, count, &digest, &digestBytes, EVP_sha256(), nil) == 1, digestBytes == 32
    else { return nil }
    // 44 digits and the NUL that EVP_EncodeBlock(3) puts behind them.
    var text = [UInt8](repeating: 0, count: 45)
    let length = Int(EVP_EncodeBlock(&text, digest, 32))
    self.init(base64: String(decoding: text.prefix(length), as: UTF8.self))
  }

  private static func isDigit(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "+"), UInt8(ascii: "/"): true
    default: false
    }
  }

  /// The pins of a chain, the server's own certificate first.
  static func pins(of chain: OpaquePointer) -> [TLSPin] {
    (0..<max(0, OPENSSL_sk_num(chain))).compactMap { index in
      OPENSSL_sk_value(chain, index).flatMap { TLSPin(of: OpaquePointer($0)) }
    }
  }

  /// Verifies a chain as without pins, and then looks for a pinned key in it.
  ///
  /// In the middle of the handshake, so that no ticket of a server with other keys is ever kept:
  /// a resumed connection shows no certificate, and stands for one that passed here.
  /// - Returns: 1 or 0, as SSL_CTX_set_cert_verify_callback(3) wants it.
  static func verify(_ store: OpaquePointer, among pins: [TLSPin]) -> Int32 {
    guard X509_verify_cert(store) == 1 else { return 0 }
    if let chain = X509_STORE_CTX_get0_chain(store),
      Self.pins(of: chain).contains(where: pins.contains)
    {
      return 1
    }
    X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION)
    return 0
  }
}
