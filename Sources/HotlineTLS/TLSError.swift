/// Why a TLS context could not be made or a TLS connection failed: the first cause.
///
/// Holds OpenSSL's fixed texts, the server name and paths of the configuration; nothing that the
/// peer chose goes into it, so it may be logged and shown as it is.
package struct TLSError: Error, Hashable, Sendable, CustomStringConvertible {
  package enum Kind: String, Hashable, Sendable {
    /// The trust store, the CA file or the server name is not usable; nothing was sent.
    case configuration
    /// The handshake did not come to its end, for another reason than the certificate.
    case handshake
    /// The server's certificate was not accepted.
    case certificate
    /// After the handshake: a broken record, or a fatal alert from the server.
    case protocolViolation = "protocol_violation"
    /// The transport ended without the server's close_notify: what came last may be incomplete.
    case truncated
    /// Data was written where none can go: too much before the handshake's end, or after the
    /// stream's.
    case write
  }

  package let kind: Kind
  /// One sentence for a person, with OpenSSL's own words in it.
  package let description: String
  /// Why the certificate was not accepted, in OpenSSL's own words
  /// (X509_verify_cert_error_string(3)); `nil` for other kinds.
  package let verifyReason: String?
  /// Of kind `configuration`: the setting at fault, where it is one.
  package let item: TLSSettings.Item?

  package init(
    _ kind: Kind, _ description: String, verifyReason: String? = nil,
    item: TLSSettings.Item? = nil
  ) {
    self.kind = kind
    self.description = description
    self.verifyReason = verifyReason
    self.item = item
  }
}
