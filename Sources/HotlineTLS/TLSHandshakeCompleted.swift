import COpenSSL

/// What was agreed on in a handshake.
///
/// ``TLSEngine`` keeps it, and the channel handler fires it as a user event when the stream opens.
package struct TLSHandshakeCompleted: Hashable, Sendable {
  /// As OpenSSL writes it: `TLSv1.3`, `TLSv1.2`.
  package let version: String
  /// The cipher suite's standard name: `TLS_AES_256_GCM_SHA384`.
  package let cipher: String
  /// Whether a ticket of an earlier connection was taken: no certificate was sent.
  package let isResumed: Bool
  /// The application protocol; `nil` where the server does not know ALPN.
  package let alpn: String?
  /// The chain that was verified; empty on a resumed connection.
  package let certificates: [TLSCertificate]

  package init(
    version: String, cipher: String, isResumed: Bool, alpn: String?,
    certificates: [TLSCertificate] = []
  ) {
    self.version = version
    self.cipher = cipher
    self.isResumed = isResumed
    self.alpn = alpn
    self.certificates = certificates
  }

  init(of ssl: OpaquePointer) {
    version = String(cString: SSL_get_version(ssl))
    if let suite = SSL_get_current_cipher(ssl), let name = SSL_CIPHER_standard_name(suite) {
      cipher = String(cString: name)
    } else {
      cipher = "unknown"
    }
    isResumed = SSL_session_reused(ssl) == 1
    certificates = TLSCertificate.chain(of: ssl)
    var name: UnsafePointer<UInt8>?
    var count: UInt32 = 0
    SSL_get0_alpn_selected(ssl, &name, &count)
    alpn = name.map {
      String(decoding: UnsafeBufferPointer(start: $0, count: Int(count)), as: UTF8.self)
    }
  }
}

/// How many handshakes came to their end, and how many of them needed no certificate.
package struct TLSHandshakeCounts: Hashable, Sendable {
  package var all = 0
  /// Those that took up an earlier connection's secrets.
  package var resumed = 0

  package init() {}
}
