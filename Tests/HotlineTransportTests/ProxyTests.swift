import HotlineCore
import HotlineTLS
import NIOCore
import TestSupport
import Testing

@testable import HotlineTransport

/// Dials through real proxies.
@Suite(.serialized) struct ProxyTests {
  private static let authority = TLSTestAuthority()

  private func port(_ channel: any Channel) -> Int { channel.localAddress?.port ?? 0 }

  private func proxy(_ url: String) throws -> UpstreamEndpoint.Proxy {
    let address = try ProxyAddress(url: url)
    let tls = address.isSecure ? try TLSContext(trust: .caFile(Self.authority.file)) : nil
    return UpstreamEndpoint.Proxy(address, tls: tls)
  }

  /// Greets, hears the greeting back and has the server close: or says why it could not.
  private func converse(
    _ url: String, through proxy: UpstreamEndpoint.Proxy, tls: TLSContext? = nil, on dial: Dial,
    lookup: @escaping NameLookup.Function = NameLookup.addresses
  ) async throws -> (isGood: Bool, failure: ConnectionFailure) {
    let large = String(repeating: "0123456789abcdef", count: 20_000)
    let result = try await dial.run(
      url, tls: tls, proxy: proxy,
      { handler, call in
        func send(_ text: String) {
          handler.send(OutboundMessage(ByteBuffer(string: text)), token: 0)
        }
        switch call {
        case .opened: send(large)
        case .text(large): send("close")
        default: break
        }
      }, lookup: lookup)
    let isGood = result.calls.contains(.text(large)) && result.failure.closeCode == 4000
    return (isGood, result.failure)
  }

  private func expectNoPassword(_ failure: ConnectionFailure) {
    #expect(!failure.detail.contains("hunter2"), "\(failure.detail)")
    #expect(!failure.detail.contains("YW5uOmh1bnRlcjI"), "\(failure.detail)")
  }

  // MARK: HTTP

  @Test(Requires.tools("tinyproxy"), arguments: ["ws", "wss"])
  func aTunnelThroughAnHTTPProxyCarriesEverything(scheme: String) async throws {
    let dial = Dial()
    let identity = Self.authority.issue("IP:127.0.0.1")
    let server = try await DialerServer.start(
      dial.group, tls: scheme == "wss" ? TLSTestServerContext(identity) : nil)
    let through = try ProxyProcess.http(isProtected: true)
    let url = through.url("http", password: ProxyProcess.password)
    let result = try await converse(
      "\(scheme)://127.0.0.1:\(port(server))/", through: proxy(url),
      tls: scheme == "wss" ? TLSContext(trust: .caFile(Self.authority.file)) : nil, on: dial)
    #expect(result.isGood, "\(result.failure)")
    #expect(through.log.contains("CONNECT 127.0.0.1:\(port(server))"), "\(through.log)")
    try await dial.end(server)
  }

  @Test(Requires.tools("tinyproxy"), arguments: [nil, "hunter2-wrong"])
  func missingAndWrongCredentialsAreToldApart(password: String?) async throws {
    let dial = Dial()
    let through = try ProxyProcess.http(isProtected: true)
    let result = try await converse(
      "ws://127.0.0.1:1/", through: proxy(through.url("http", password: password)), on: dial)
    #expect(result.failure.kind == .proxyRefused)
    let detail = result.failure.detail
    let words = password == nil ? "wants a user and a password" : "does not take the user"
    #expect(detail.hasPrefix("the proxy http://127.0.0.1:\(through.port) \(words)"), "\(detail)")
    #expect(detail.contains(password == nil ? "407" : "40"), "\(detail)")
    expectNoPassword(result.failure)
    try await dial.end()
  }

  @Test(Requires.tools("tinyproxy"))
  func aTargetThatTheProxyMayNotOrCannotReachIsTold() async throws {
    let dial = Dial()
    let strict = try ProxyProcess.http(connectPort: 443)
    let forbidden = try await converse(
      "ws://127.0.0.1:1/", through: proxy(strict.url("http")), on: dial)
    #expect(forbidden.failure.kind == .proxyRefused)
    #expect(
      forbidden.failure.detail.contains("refused a tunnel to 127.0.0.1:1: 403"),
      "\(forbidden.failure.detail)")
    let open = try ProxyProcess.http()
    let unreachable = try await converse(
      "ws://127.0.0.1:1/", through: proxy(open.url("http")), on: dial)
    #expect(unreachable.failure.kind == .unreachable)
    #expect(
      unreachable.failure.detail.contains("could not open a tunnel to 127.0.0.1:1: 50"),
      "\(unreachable.failure.detail)")
    try await dial.end()
  }

  @Test func aProxyThatIsNotThereIsNamed() async throws {
    let dial = Dial()
    for scheme in ["http", "socks5", "socks5h"] {
      let result = try await converse(
        "ws://127.0.0.1:9/", through: proxy("\(scheme)://u:hunter2@127.0.0.1:1"), on: dial)
      #expect(result.failure.kind == .unreachable)
      #expect(
        result.failure.detail
          == "cannot connect to the proxy \(scheme)://127.0.0.1:1: 127.0.0.1 port 1: "
          + "Connection refused")
    }
    try await dial.end()
  }

  @Test func aProxyThatSaysNothingEndsTheDialAtTheTimeout() async throws {
    let dial = Dial()
    let mute = try await DialerServer.startMute(dial.group)
    var options = UpstreamHandler.Options()
    options.connectTimeout = .milliseconds(250)
    for scheme in ["http", "socks5", "https"] {
      let result = try await dial.run(
        "ws://127.0.0.1:9/", proxy: proxy("\(scheme)://127.0.0.1:\(port(mute))"), options: options)
      let detail = result.failure.detail
      #expect(result.failure.kind == .unreachable)
      #expect(detail.contains("waiting for the proxy \(scheme)://127.0.0.1"), "\(detail)")
    }
    try await dial.end(mute)
  }

  @Test func aProxyThatSpeaksSomethingElseIsTold() async throws {
    let dial = Dial()
    let other = try await DialerServer.startMute(dial.group, greeting: "220 smtp.example\r\n")
    for (scheme, words) in [
      ("http", "gave an answer that is not HTTP/1.x"),
      ("socks5", "does not speak SOCKS version 5"),
      ("https", "does not speak TLS on this port"),
    ] {
      let result = try await converse(
        "ws://127.0.0.1:9/", through: proxy("\(scheme)://127.0.0.1:\(port(other))"), on: dial)
      #expect(result.failure.detail.contains(words), "\(result.failure.detail)")
    }
    try await dial.end(other)
  }

  // MARK: HTTPS

  @Test(Requires.tools("tinyproxy", "stunnel4"))
  func aTLSProxyIsVerifiedAndThenCarriesTLS() async throws {
    let dial = Dial()
    let identity = Self.authority.issue("IP:127.0.0.1")
    let server = try await DialerServer.start(dial.group, tls: TLSTestServerContext(identity))
    let through = try ProxyProcess.https(
      certificate: identity.pem, key: identity.keyPEM(), isProtected: true)
    let url = "wss://127.0.0.1:\(port(server))/"
    let tls = try TLSContext(trust: .caFile(Self.authority.file))
    let good = try await converse(
      url, through: proxy(through.url("https", password: ProxyProcess.password)), tls: tls, on: dial
    )
    #expect(good.isGood, "\(good.failure)")
    let anonymous = try await converse(
      url, through: proxy(through.url("https")), tls: tls, on: dial)
    #expect(anonymous.failure.kind == .proxyRefused)
    #expect(anonymous.failure.detail.contains("407"), "\(anonymous.failure.detail)")
    let misnamed = try await converse(
      url, through: proxy(through.url("https", host: "localhost")), tls: tls, on: dial)
    #expect(misnamed.failure.kind == .tls)
    #expect(
      misnamed.failure.detail.hasPrefix(
        "the proxy https://localhost:\(through.port): the certificate of localhost was not "
          + "accepted: hostname mismatch"), "\(misnamed.failure.detail)")
    try await dial.end(server)
  }

  // MARK: SOCKS

  @Test(Requires.tools("microsocks"), arguments: ["socks5", "socks5h"])
  func aTunnelThroughASOCKSProxyCarriesEverything(scheme: String) async throws {
    let dial = Dial()
    let server = try await DialerServer.start(dial.group)
    let open = try ProxyProcess.socks()
    for host in ["127.0.0.1", "localhost"] {
      let url = "ws://\(host):\(port(server))/"
      let result = try await converse(url, through: proxy(open.url(scheme)), on: dial)
      #expect(result.isGood, "\(result.failure)")
    }
    let closed = try ProxyProcess.socks(isProtected: true)
    let url = "ws://127.0.0.1:\(port(server))/"
    let good = closed.url(scheme, password: ProxyProcess.password)
    #expect(try await converse(url, through: proxy(good), on: dial).isGood)
    for (password, words) in [
      (nil, "wants authentication"), ("hunter2-wrong", "does not take the user and the password"),
    ] {
      let result = try await converse(
        url, through: proxy(closed.url(scheme, password: password)), on: dial)
      #expect(result.failure.kind == .proxyRefused)
      #expect(result.failure.detail.contains(words), "\(result.failure.detail)")
      expectNoPassword(result.failure)
    }
    try await dial.end(server)
  }

  /// The name is one that the test's name server knows and the proxy's does not.
  @Test(Requires.tools("microsocks"))
  func namesAreLookedUpWhereTheSchemeSays() async throws {
    let dial = Dial()
    let server = try await DialerServer.start(dial.group)
    let through = try ProxyProcess.socks()
    let url = "ws://server.invalid:\(port(server))/"
    // On the first address nobody listens, so the next is asked for.
    let lookup: NameLookup.Function = { name, _ in
      name == "server.invalid"
        ? .success(["127.0.0.3", "127.0.0.1"]) : NameLookup.addresses(of: name, .any)
    }
    let local = try await converse(
      url, through: proxy(through.url("socks5")), on: dial, lookup: lookup)
    #expect(local.isGood, "\(local.failure)")
    let remote = try await converse(
      url, through: proxy(through.url("socks5h")), on: dial, lookup: lookup)
    #expect(remote.failure.kind == .unreachable)
    #expect(
      remote.failure.detail.contains("could not open a tunnel to server.invalid:"),
      "\(remote.failure.detail)")
    try await dial.end(server)
  }

  @Test(Requires.tools("microsocks"))
  func everyAddressThatASOCKSProxyCouldNotReachIsNamed() async throws {
    let dial = Dial()
    let through = try ProxyProcess.socks()
    let result = try await converse(
      "ws://server.invalid:1/", through: proxy(through.url("socks5")), on: dial,
      lookup: { _, _ in .success(["127.0.0.1", "127.0.0.2"]) })
    let detail = result.failure.detail
    #expect(
      detail == "the proxy socks5://127.0.0.1:\(through.port) could not open a tunnel to "
        + "127.0.0.1:1: connection refused; could not open a tunnel to 127.0.0.2:1: connection "
        + "refused", "\(detail)")
    let unknown = try await converse(
      "ws://server.invalid:1/", through: proxy(through.url("socks5")), on: dial,
      lookup: { _, _ in .failure(.init("Name or service not known", isDefinite: true)) })
    #expect(unknown.failure.detail.contains("socks5h://"), "\(unknown.failure.detail)")
    try await dial.end()
  }
}
