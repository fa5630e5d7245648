import HotlineTLS

/// What one upstream's connections have in common: where it is and how to introduce oneself.
package struct UpstreamEndpoint: Sendable {
  package let address: UpstreamAddress
  package let headers: [UpgradeHeader]
  /// `nil` for plain `ws`.
  package let tls: TLSContext?
  /// Strikes out the values of the secret headers.
  package let redactor: SecretRedactor

  /// `tls` must be given for `wss`, and only then.
  package init(address: UpstreamAddress, headers: [UpgradeHeader], tls: TLSContext?) {
    precondition(address.isSecure == (tls != nil), "TLS goes with wss, and with nothing else")
    self.address = address
    self.headers = headers
    self.tls = tls
    self.redactor = SecretRedactor(headers: headers)
  }
}
