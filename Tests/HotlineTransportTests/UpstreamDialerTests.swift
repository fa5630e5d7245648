import Dispatch
import Glibc
import HotlineCore
import HotlineTLS
import NIOCore
import NIOPosix
import Synchronization
import TestSupport
import Testing

@testable import HotlineTransport

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

  @Test func conversationOverAUnixSocket() async throws {
    let dial = Dial()
    let directory = try TemporaryDirectory()
    let path = directory("s")
    let server = try await DialerServer.start(dial.group, socketPath: path)
    let result = try await dial.run("ws+unix:\(path):/v1", Self.conversation)
    check(result.calls, result.failure)
    try await dial.end(server)
  }

  @Test func aSocketThatNobodyListensOnIsNamedWithTheCause() async throws {
    let dial = Dial()
    let directory = try TemporaryDirectory()
    let (gone, file) = (directory("gone"), try directory.write("file", ""))
    for (path, cause) in [(gone, "No such file or directory"), (file, "Connection refused")] {
      let result = try await dial.run("ws+unix:\(path)")
      #expect(result.calls == [.closed(.unreachable)])
      #expect(result.failure.detail == "cannot connect to the socket \(path): \(cause)")
    }
    try await dial.end()
  }

  /// A Unix socket says so at once, where TCP would go on trying (connect(2)).
  @Test func aSocketWithAFullBacklogIsToldFromOneThatConnects() async throws {
    let dial = Dial()
    let directory = try TemporaryDirectory()
    let path = directory("s")
    let listener = try UnixSocket.bind(path)
    defer { close(listener) }
    // listen(2): with a backlog of none one may wait.
    #expect(listen(listener, 0) == 0)
    let waiting = try UnixSocket(connectedTo: path)
    let result = try await dial.run("ws+unix:\(path)")
    #expect(result.calls == [.closed(.unreachable)])
    #expect(result.failure.detail.contains("Resource temporarily unavailable"))
    withExtendedLifetime(waiting) {}
    try await dial.end()
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

  @Test(Requires.ipv6Loopback) func conversationOverIPv6() async throws {
    let dial = Dial()
    let authority = TLSTestAuthority()
    let context = TLSTestServerContext(authority.issue("IP:::1,DNS:six.example"))
    let server = try await DialerServer.start(dial.group, tls: context, host: "::1")
    let tls = try TLSContext(trust: .caFile(authority.file))
    let literal = try await dial.run("wss://[::1]:\(port(server))/", tls: tls, Self.conversation)
    check(literal.calls, literal.failure)
    // Nobody listens at the other address, which comes second.
    let address = Mutex<String?>(nil)
    let name = try await dial.run(
      "wss://six.example:\(port(server))/", tls: tls,
      { handler, call in
        if call == .opened { address.withLock { $0 = handler.peerAddress } }
        Self.conversation(handler, call)
      }, lookup: { .success([$1 == .ipv6 ? "::1" : "127.0.0.1"]) })
    check(name.calls, name.failure)
    #expect(address.withLock { $0 } == "::1 port \(port(server))")
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

  // MARK: Addresses

  /// A name server that knows these alone.
  private func knowing(_ addresses: [NameLookup.Family: [String]]) -> NameLookup.Function {
    { _, family in
      addresses[family].map { .success($0) }
        ?? .failure(.init("No address associated with hostname", isDefinite: true))
    }
  }

  @Test func theFirstAddressThatConnectsIsTaken() async throws {
    let dial = Dial()
    let server = try await DialerServer.start(dial.group)
    // Documentation addresses (RFC 5737) lead nowhere, or to silence; nobody listens on the others.
    let lookup = knowing([.ipv6: ["::1"], .ipv4: ["192.0.2.1", "127.0.0.2", "127.0.0.1"]])
    let result = try await dial.run(
      "ws://server.example:\(port(server))/", Self.conversation, lookup: lookup)
    check(result.calls, result.failure)
    try await dial.end(server)
  }

  @Test func everyAttemptIsNamedWhenNoneConnects() async throws {
    let dial = Dial()
    let lookup = knowing([.ipv6: ["::1"], .ipv4: ["127.0.0.1", "127.0.0.2"]])
    let result = try await dial.run("ws://server.example:1/", lookup: lookup)
    #expect(result.calls == [.closed(.unreachable)])
    let detail = result.failure.detail
    #expect(detail.hasPrefix("cannot connect to server.example:1: ::1 port 1: "), "\(detail)")
    #expect(detail.contains("; 127.0.0.1 port 1: Connection refused"), "\(detail)")
    #expect(detail.contains("; 127.0.0.2 port 1: Connection refused"), "\(detail)")
    try await dial.end()
  }

  @Test func aDialThatTakesTooLongNamesWhatItTried() async throws {
    let dial = Dial()
    var options = UpstreamHandler.Options()
    // Long enough for the other lookup to find a thread.
    options.connectTimeout = .seconds(2)
    let isAsked = DispatchSemaphore(value: 0)
    let result = try await dial.run(
      "ws://server.example:1/", options: options,
      lookup: { _, family in
        guard family == .ipv6 else { return .success(["127.0.0.1"]) }
        isAsked.wait()
        return .success([])
      })
    for _ in 1...2 { isAsked.signal() }
    let detail = result.failure.detail
    #expect(detail.contains("within 2 s"), "\(detail)")
    #expect(detail.contains("127.0.0.1 port 1: Connection refused"), "\(detail)")
    #expect(detail.contains("no answer from the name server"), "\(detail)")
    try await dial.end()
  }

  @Test func dialsThatAskTheSameWaitForOneAnswer() async throws {
    let dial = Dial()
    let server = try await DialerServer.start(dial.group)
    let endpoint = UpstreamEndpoint(
      address: try UpstreamAddress(url: "ws://server.example:\(port(server))/"), headers: [],
      tls: nil)
    let asked = Mutex<[NameLookup.Family]>([])
    let mayAnswer = DispatchSemaphore(value: 0)
    let loop = dial.loop
    let calls = try await loop.flatSubmit {
      let dialer = dial.dialer { _, family in
        asked.withLock { $0.append(family) }
        mayAnswer.wait()
        return .success(family == .ipv4 ? ["127.0.0.1"] : [])
      }
      func begin(_ delegate: RecordingDelegate) -> UpstreamHandler {
        dialer.dial(ConnectionNumber(1), to: endpoint, options: .init(), delegate: delegate)
      }
      // They end while nobody has answered.
      for _ in 1...20 { begin(RecordingDelegate()).drop() }
      let ended = loop.makePromise(of: [Dial.Call].self)
      let delegate = RecordingDelegate()
      let handler = begin(delegate)
      delegate.onCall = { call in
        if call == .opened { handler.drop() }
        guard case .closed = call else { return }
        delegate.onCall = nil
        ended.succeed(delegate.calls)
      }
      for _ in 1...42 { mayAnswer.signal() }
      return ended.futureResult
    }.get()
    #expect(calls.contains(.opened))
    #expect(asked.withLock { Set($0) } == [.ipv6, .ipv4])
    #expect(asked.withLock(\.count) == 2)
    try await dial.end(server)
  }

  @Test func aVanishedPeerIsKnownWithinTwentySeconds() async throws {
    let dial = Dial()
    let server = try await DialerServer.start(dial.group)
    _ = try await dial.run("ws://127.0.0.1:\(port(server))/") { handler, call in
      guard call == .opened, let channel = handler.context?.channel as? StreamChannel
      else { return }
      func value(_ option: CInt, _ level: CInt = CInt(IPPROTO_TCP)) -> CInt? {
        SystemCalls.value(of: option, level, on: channel.descriptor)
      }
      #expect(value(TCP_NODELAY) == 1)
      #expect(value(TCP_USER_TIMEOUT) == 20_000)
      #expect(value(SO_KEEPALIVE, SOL_SOCKET) == 1)
      #expect(value(TCP_KEEPIDLE) == 30)
      #expect(value(TCP_KEEPINTVL) == 10)
      #expect(value(TCP_KEEPCNT) == 3)
      #expect(value(TCP_NOTSENT_LOWAT) == 128 << 10)
      handler.drop()
    }
    try await dial.end(server)
  }

  // MARK: Time

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
    let loop = dial.loop
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
