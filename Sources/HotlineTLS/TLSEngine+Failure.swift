import COpenSSL

/// What a failure is called.
extension TLSEngine {
  static func outOfMemory() -> TLSError {
    let words = OpenSSLErrors.drain() ?? "out of memory"
    return TLSError(.configuration, "OpenSSL could not set up or feed a TLS connection: \(words)")
  }

  func streamFailure() -> TLSError {
    let words = OpenSSLErrors.drain() ?? "no reason given"
    return TLSError(.protocolViolation, "TLS failed in the middle of the stream: \(words)")
  }

  func handshakeFailure() -> TLSError {
    let words = OpenSSLErrors.drain() ?? "no reason given"
    let verified = SSL_get_verify_result(ssl)
    if verified != Int(X509_V_OK) { return certificateFailure(verified) }
    return plainTextPeer() ?? TLSError(.handshake, "the TLS handshake failed: \(words)")
  }

  func handshakeBrokenOff() -> TLSError {
    if let plain = plainTextPeer() { return plain }
    let progress = opening.isEmpty ? "without an answer to" : "in the middle of"
    return TLSError(.handshake, "the server closed the connection \(progress) the TLS handshake")
  }

  /// RFC 8446, 5.1: a record starts with a type of 20 to 23 and a version that starts with 3.
  private func plainTextPeer() -> TLSError? {
    guard let type = opening.first else { return nil }
    if (20...23).contains(type), opening.count < 2 || opening[1] == 3 { return nil }
    let http = "HTTP/".utf8.starts(with: opening) ? ", it answered in plain HTTP" : ""
    return TLSError(.handshake, "the server does not speak TLS on this port\(http)")
  }

  private func certificateFailure(_ code: Int) -> TLSError {
    let code = Int32(truncatingIfNeeded: code)
    let reason =
      code == X509_V_ERR_APPLICATION_VERIFICATION
      ? "no key of its chain is among the pinned ones"
      : String(cString: X509_verify_cert_error_string(Int(code)))
    let hint = Self.hint(code).map { " (\($0))" } ?? ""
    return TLSError(
      .certificate, "the certificate of \(peer.name) was not accepted: \(reason)\(hint)",
      verifyReason: reason)
  }

  /// What to look at, where OpenSSL's words leave that open.
  private static func hint(_ code: Int32) -> String? {
    switch code {
    case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
      "it is made out to other names"
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT,
      X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
      X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      "is its CA in the trust store? if it is your own, name its file as ca_file or ca_file_extra"
    case X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED:
      "is this machine's clock right?"
    case X509_V_ERR_EE_KEY_TOO_SMALL, X509_V_ERR_CA_KEY_TOO_SMALL, X509_V_ERR_CA_MD_TOO_WEAK:
      "too weak: RSA of 2048 bits and SHA-256 are the least"
    case X509_V_ERR_INVALID_PURPOSE:
      "it may not be used by a server"
    case X509_V_ERR_INVALID_CA:
      "who signed it may not sign certificates"
    case X509_V_ERR_APPLICATION_VERIFICATION:
      "see pin_sha256"
    default: nil
    }
  }
}
