import HotlineTransport

/// What an upstream is reached through.
extension ConfigurationReader {
  func readProxy(_ reader: inout TableReader, into upstream: inout UpstreamConfiguration) {
    guard let text = reader.string("proxy", such: "http://HOST:PORT") else { return }
    upstream.usesProxyOfEnvironment = false
    guard text != "none" else { return }
    do throws(ProxyAddress.Invalid) {
      upstream.proxy = try ProxyAddress(url: text)
    } catch {
      reader.reject("proxy", Self.explanation(error) + ", or \"none\"")
    }
  }

  /// The text itself may hold a password, wherever in it the mistake is.
  private static func explanation(_ error: ProxyAddress.Invalid) -> String {
    "\(error); http://HOST:PORT, https://, socks5:// or socks5h:// would do"
  }

  /// The variables that many programs share, lower case first, as curl(1) has it.
  static let proxyVariables = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]
  static let bypassVariables = ["no_proxy", "NO_PROXY"]

  /// To be called when the URLs are settled: whether a proxy is used depends on them.
  mutating func applyProxyOfEnvironment(to upstream: inout UpstreamConfiguration) {
    if upstream.endpoint.address.socketPath != nil {
      if upstream.proxy != nil { refuseProxy(of: upstream) }
    } else if let proxy = upstream.proxy {
      checkClearText(proxy, of: upstream)
    }
    // A ws:// server is on this machine.
    guard upstream.usesProxyOfEnvironment, upstream.endpoint.isSecure,
      let name = Self.proxyVariables.first(where: { surroundings.variable($0) != nil }),
      let text = surroundings.variable(name)
    else { return }
    let list = Self.bypassVariables.compactMap { surroundings.variable($0) }.first ?? ""
    let (host, port) = (upstream.endpoint.host, upstream.endpoint.port)
    if ProxyBypass(list).covers(host: host, port: port) { return }
    do throws(ProxyAddress.Invalid) {
      upstream.proxy = try ProxyAddress(url: text)
      origins["upstream.\(upstream.name).proxy"] = .environment
    } catch {
      let problem = ConfigurationProblem(
        "$\(name)",
        Self.explanation(error) + "; proxy = \"none\" in [upstream.\(upstream.name)] does without")
      if !problems.contains(where: { $0.path == problem.path }) { problems.append(problem) }
    }
  }

  /// No proxy knows the sockets of this machine.
  private mutating func refuseProxy(of upstream: UpstreamConfiguration) {
    let parts = ["upstream", upstream.name, "proxy"]
    problems.append(
      .init(
        Showable.path(parts), "no proxy reaches a Unix socket of this machine; leave it out",
        line: document?.outline.line(of: parts)))
  }

  /// What goes to another machine goes by TLS, see ``UpstreamURL``.
  private mutating func checkClearText(
    _ proxy: ProxyAddress, of upstream: UpstreamConfiguration
  ) {
    guard !upstream.endpoint.isSecure, !UpstreamURL.isLoopback(proxy.host) else { return }
    let parts = ["upstream", upstream.name, "proxy"]
    problems.append(
      .init(
        Showable.path(parts),
        "ws:// would carry the key in the clear to the proxy's machine; use wss://, or leave the "
          + "proxy out", line: document?.outline.line(of: parts)))
  }
}
