import HotlineTLS

/// What one upstream's connections have in common: where it is and how to introduce oneself.
package struct UpstreamEndpoint: Sendable {
  package let address: UpstreamAddress
  package let headers: [UpgradeHeader]
  /// `nil` for plain `ws`.
  package private(set) var tls: TLSContext?
  /// What it is reached through.
  package private(set) var proxy: Proxy?
  /// Strikes out the values of the secret headers, and the proxy's credentials.
  package let redactor: SecretRedactor

  package struct Proxy: Sendable {
    package let address: ProxyAddress
    fileprivate(set) var tls: TLSContext?

    /// `tls` must be given for `https`, and only then.
    package init(_ address: ProxyAddress, tls: TLSContext?) {
      precondition(address.isSecure == (tls != nil), "TLS goes with https, and with nothing else")
      self.address = address
      self.tls = tls
    }
  }

  /// `tls` must be given for `wss`, and only then.
  package init(
    address: UpstreamAddress, headers: [UpgradeHeader], tls: TLSContext?, proxy: Proxy? = nil
  ) {
    precondition(address.isSecure == (tls != nil), "TLS goes with wss, and with nothing else")
    self.address = address
    self.headers = headers
    self.tls = tls
    self.proxy = proxy
    self.redactor = SecretRedactor(
      protected: headers.flatMap(\.secrets)
        + (proxy?.address.credentials?.secrets ?? []).map { .copy(of: $0) })
  }

  /// Goes on with the tickets and counts of `old`, whose TLS settings must be the same.
  package mutating func keepTLS(of old: UpstreamEndpoint) {
    if tls != nil, let kept = old.tls { tls = kept }
    if proxy?.tls != nil, let kept = old.proxy?.tls { proxy?.tls = kept }
  }
}
