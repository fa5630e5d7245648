import COpenSSL

/// Message digests that a protocol prescribes by name.
package enum TLSDigest {
  /// The SHA-1 digest of `message`: 20 bytes. Any thread.
  ///
  /// Only for `Sec-WebSocket-Accept` (RFC 6455, 4.2.2), which proves nothing but that the answer
  /// belongs to the question. `nil` where OpenSSL's policy forbids SHA-1.
  package static func sha1(_ message: [UInt8]) -> [UInt8]? {
    var digest = [UInt8](repeating: 0, count: 20)
    var digestBytes: UInt32 = 0
    let status = EVP_Digest(message, message.count, &digest, &digestBytes, EVP_sha1(), nil)
    guard status == 1, digestBytes == 20 else {
      ERR_clear_error()
      return nil
    }
    return digest
  }
}
