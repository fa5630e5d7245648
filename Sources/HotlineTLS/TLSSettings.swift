/// What a ``TLSContext`` is made of: whom to trust, and how to introduce oneself.
///
/// Nothing in it weakens verification: that a certificate is verified, and against the server's
/// name, is no setting.
package struct TLSSettings: Hashable, Sendable {
  /// Whose signature makes a server's certificate good.
  package enum Trust: Hashable, Sendable {
    /// The system's store; `SSL_CERT_FILE` and `SSL_CERT_DIR` are honoured.
    case system
    /// The certificates in this PEM file, and no others.
    case caFile(String)
  }

  /// The least version of the protocol that is spoken.
  package enum Version: String, Hashable, Sendable, CaseIterable {
    case tls12 = "1.2"
    case tls13 = "1.3"
  }

  /// How the client proves who it is, to servers that ask.
  package struct ClientIdentity: Hashable, Sendable {
    /// PEM file: the certificate, then those that lead from it to its authority.
    package var certificateFile: String
    /// PEM file of the private key, without a passphrase.
    package var keyFile: String

    package init(certificateFile: String, keyFile: String) {
      self.certificateFile = certificateFile
      self.keyFile = keyFile
    }
  }

  /// The setting that a failure is about, by its name in the configuration.
  package enum Item: String, Hashable, Sendable {
    case caFile = "ca_file"
    case caFileExtra = "ca_file_extra"
    case clientCertificate = "client_certificate"
    case clientKey = "client_key"
  }

  package var trust: Trust
  /// PEM file of authorities to trust beside those of `trust`.
  package var caFileExtra: String?
  package var clientIdentity: ClientIdentity?
  /// If not empty: one key of the verified chain has to be among these.
  package var pins: [TLSPin]
  package var leastVersion: Version

  package init(
    trust: Trust = .system, caFileExtra: String? = nil, clientIdentity: ClientIdentity? = nil,
    pins: [TLSPin] = [], leastVersion: Version = .tls12
  ) {
    self.trust = trust
    self.caFileExtra = caFileExtra
    self.clientIdentity = clientIdentity
    self.pins = pins
    self.leastVersion = leastVersion
  }
}
