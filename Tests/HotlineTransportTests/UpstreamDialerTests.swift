import HotlineCore
import HotlineTLS
import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import HotlineTransport

/// One dial on a loop of its own, with real sockets.
private struct Dial {
  typealias Call = RecordingDelegate.Call
  let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)

  /// Dials, lets `script` act on each call, and gives all calls when the connection has ended.
  func run(
    _ url: String, tls: TLSContext? = nil, options: UpstreamHandler.Options = .init(),
    _ script: @escaping @Sendable (UpstreamHandler, Call) -> Void = { _, _ in }
  ) async throws -> (calls: [Call], failure: ConnectionFailure, facts: UpgradeFacts?) {
    let endpoint = UpstreamEndpoint(
      address: try UpstreamAddress(url: url), headers: [], tls: tls)
    let loop = group.next()
    return try await loop.flatSubmit {
      let ended = loop.makePromise(
        of: (calls: [Call], failure: ConnectionFailure, facts: UpgradeFacts?).self)
      let delegate = RecordingDelegate()
      let handler = UpstreamDialer(eventLoop: loop).dial(
        ConnectionNumber(1), to: endpoint, options: options, delegate: delegate)
      #expect(delegate.calls.isEmpty)
      delegate.onCall = { call in
        script(handler, call)
        guard let failure = delegate.failure, delegate.onCall != nil else { return }
        delegate.onCall = nil
        // Later, so that a second end would be seen.
        loop.assumeIsolated().scheduleTask(in: .milliseconds(50)) {
          ended.succeed((delegate.calls, failure, delegate.facts))
        }
      }
      return ended.futureResult
    }.get()
  }

  func end(_ server: (any Channel)? = nil) async throws {
    try await server?.close().get()
    try await group.shutdownGracefully()
  }
}

struct UpstreamDialerTests {
  private func port(_ channel: any Channel) -> Int { channel.localAddress?.port ?? 0 }

  /// A context that trusts an authority which has signed nothing.
  private func trustNobody() throws -> TLSContext {
    let authority = TLSTestAuthority()
    return try withExtendedLifetime(authority) {
      try TLSContext(trust: .caFile(authority.file))
    }
  }

  private static let large = String(repeating: "0123456789abcdef", count: 200_000)

  @Sendable private static func conversation(_ handler: UpstreamHandler, _ call: Dial.Call) {
    func send(_ text: String, token: UInt64) {
      handler.send(OutboundMessage(ByteBuffer(string: text)), token: token)
    }
    switch call {
    case .opened:
      handler.ping(id: 77)
      send("hello", token: 1)
    case .text("hello"): send(large, token: 2)
    case .text(large): send("close", token: 3)
    default: break
    }
  }

  private func check(_ calls: [Dial.Call], _ failure: ConnectionFailure) {
    let heard = calls.filter { $0 != .readCompleted }
    #expect(heard.first == .opened)
    #expect(heard.contains(.pong(77)))
    let isLarge = heard.contains(.text(Self.large))
    #expect(isLarge)
    let rest = heard.filter { $0 != .pong(77) && $0 != .text(Self.large) }
    #expect(
      rest == [
        .opened, .handedOver(1), .text("hello"), .handedOver(2), .handedOver(3), .closed(.closed),
      ])
    #expect(failure.closeCode == 4000)
  }

  @Test func conversationOverPlainTCP() async throws {
    let dial = Dial()
    let server = try await DialerServer.start(dial.group)
    let result = try await dial.run("ws://127.0.0.1:\(port(server))/", Self.conversation)
    check(result.calls, result.failure)
    #expect(result.facts?.tlsVersion == nil)
    try await dial.end(server)
  }

  @Test func conversationOverTLSByNameAndResumed() async throws {
    let dial = Dial()
    let authority = TLSTestAuthority()
    let context = TLSTestServerContext(authority.issue("DNS:localhost"))
    let server = try await DialerServer.start(dial.group, tls: context)
    let tls = try TLSContext(trust: .caFile(authority.file))
    for isResumed in [false, true] {
      let result = try await dial.run(
        "wss://localhost:\(port(server))/", tls: tls, Self.conversation)
      check(result.calls, result.failure)
      #expect(result.facts?.tlsVersion == "TLSv1.3")
      #expect(result.facts?.isTLSResumed == isResumed)
    }
    try await dial.end(server)
  }

  @Test func wrongCertificateIsATLSFailure() async throws {
    let dial = Dial()
    let authority = TLSTestAuthority()
    let context = TLSTestServerContext(authority.issue("DNS:other.example"))
    let server = try await DialerServer.start(dial.group, tls: context)
    let tls = try TLSContext(trust: .caFile(authority.file))
    let result = try await dial.run("wss://127.0.0.1:\(port(server))/", tls: tls)
    #expect(result.calls == [.closed(.tls)])
    #expect(result.failure.detail.contains("IP address mismatch"), "\(result.failure.detail)")
    try await dial.end(server)
  }

  @Test func plainTextOnTheTLSPortIsATLSFailure() async throws {
    let dial = Dial()
    let server = try await DialerServer.startMute(dial.group, greeting: "220 smtp.example\r\n")
    let tls = try trustNobody()
    let result = try await dial.run("wss://127.0.0.1:\(port(server))/", tls: tls)
    #expect(result.calls == [.closed(.tls)])
    try await dial.end(server)
  }

  @Test func refusedConnectionNamesAddressPortAndCause() async throws {
    let dial = Dial()
    // A reserved port that no server and no other test listens on.
    let port = 1
    let result = try await dial.run("ws://127.0.0.1:\(port)/")
    #expect(result.calls == [.closed(.unreachable)])
    let detail = result.failure.detail
    #expect(detail.contains("cannot connect to 127.0.0.1:\(port): "), "\(detail)")
    #expect(detail.contains("Connection refused"), "\(detail)")
    try await dial.end()
  }

  @Test func nameWithoutAnAddressIsUnreachable() async throws {
    let dial = Dial()
    var options = UpstreamHandler.Options()
    options.connectTimeout = .seconds(5)
    // RFC 6761, 6.4: resolvers know that there is none; one that is not there never answers.
    let result = try await dial.run("ws://nothing.invalid/", options: options)
    #expect(result.calls == [.closed(.unreachable)])
    let detail = result.failure.detail
    #expect(detail.contains("nothing.invalid:80"), "\(detail)")
    // The words are the C library's own, gai_strerror(3).
    #expect(detail.contains(": no address: ") || detail.contains("within 5 s"), "\(detail)")
    #expect(!detail.contains("UnknownHost"), "\(detail)")
    try await dial.end()
  }

  @Test func silentServerEndsTheDialAtTheTimeout() async throws {
    let dial = Dial()
    let server = try await DialerServer.startMute(dial.group)
    var options = UpstreamHandler.Options()
    options.connectTimeout = .milliseconds(250)
    for scheme in ["ws", "wss"] {
      let tls = scheme == "wss" ? try trustNobody() : nil
      let result = try await dial.run(
        "\(scheme)://127.0.0.1:\(port(server))/", tls: tls, options: options)
      #expect(result.calls == [.closed(.unreachable)])
      #expect(result.failure.detail.contains("within 0.25 s"), "\(result.failure.detail)")
      #expect(result.failure.detail.contains("TLS handshake") == (scheme == "wss"))
    }
    try await dial.end(server)
  }

  @Test func dialThatIsDroppedEndsOnceAndItsLateSuccessIsClosed() async throws {
    let dial = Dial()
    let server = try await DialerServer.start(dial.group)
    let endpoint = UpstreamEndpoint(
      address: try UpstreamAddress(url: "ws://127.0.0.1:\(port(server))/"), headers: [], tls: nil)
    let loop = dial.group.next()
    let calls = try await loop.flatSubmit {
      let delegate = RecordingDelegate()
      let handler = UpstreamDialer(eventLoop: loop).dial(
        ConnectionNumber(1), to: endpoint, options: .init(), delegate: delegate)
      handler.drop()
      return loop.assumeIsolated().scheduleTask(in: .milliseconds(200)) {
        #expect(handler.context == nil)
        return delegate.calls
      }.futureResult
    }.get()
    #expect(calls == [.closed(.local)])
    try await dial.end(server)
  }
}
