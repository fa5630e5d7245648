import COpenSSL

/// What a certificate of a verified chain says of itself. Its texts are the authority's: sanitised,
/// but not ours.
package struct TLSCertificate: Hashable, Sendable {
  /// As OpenSSL writes it in one line (`/O=Example/CN=api.example.com`), at most 255 bytes.
  package let subject: String
  package let issuer: String
  /// Whole days until it expires, rounded down.
  package let daysLeft: Int

  /// The chain of a connection, the server's own first; empty where none was shown, because an
  /// earlier connection's secrets were taken up.
  static func chain(of ssl: OpaquePointer) -> [TLSCertificate] {
    guard let chain = SSL_get0_verified_chain(ssl) else { return [] }
    return (0..<max(0, OPENSSL_sk_num(chain))).compactMap { index in
      OPENSSL_sk_value(chain, index).map { TLSCertificate(OpaquePointer($0)) }
    }
  }

  private init(_ certificate: OpaquePointer) {
    subject = Self.text(X509_get_subject_name(certificate))
    issuer = Self.text(X509_get_issuer_name(certificate))
    var days: Int32 = 0
    var seconds: Int32 = 0
    // From now on where the first instant is NULL.
    let isKnown = ASN1_TIME_diff(&days, &seconds, nil, X509_get0_notAfter(certificate)) == 1
    daysLeft = isKnown ? Int(days) : 0
  }

  /// OpenSSL escapes what is not printable ASCII.
  private static func text(_ name: OpaquePointer?) -> String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { text in
      guard let name, let start = text.baseAddress,
        X509_NAME_oneline(name, start, Int32(text.count)) != nil
      else { return "" }
      return String(cString: start)
    }
  }
}
