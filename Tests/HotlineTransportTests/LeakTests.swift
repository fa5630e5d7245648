import Foundation
import HotlineCore
import HotlineTLS
import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import HotlineTransport

/// Whatever becomes of a dial, its handler, its channel and its TLS engine are freed.
struct LeakTests {
  @Test func dialsOfEveryFateLeaveNothingBehind() async {
    await #expect(processExitsWith: .success) {
      try OpenSSLMemory.startCounting()
      let fates = DialFates()
      for _ in 1...2 { try await fates.playAll() }
      let before = OpenSSLMemory.usage
      for _ in 1...4 { try await fates.playAll() }
      let after = OpenSSLMemory.usage
      #expect(after.blocks <= before.blocks, "\(after.growth(since: before))")
      #expect(after.bytes <= before.bytes, "\(after.growth(since: before))")
    }
  }
}

/// Connections that do what they are for.
struct ConversationLeakTests {
  private static let growthKiBMax = 2048

  /// Of this process (proc(5)).
  private static func residentKiB() throws -> Int {
    let statm = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(
      separator: " ")
    return Int(statm[1]).map { $0 * Int(getpagesize()) / 1024 } ?? 0
  }

  @Test func tenThousandConnectionsThatWereAskedLeaveNothingBehind() async {
    await #expect(processExitsWith: .success) {
      try OpenSSLMemory.startCounting()
      for _ in 0..<2 { try await Conversations.play(500) }
      let (before, residentBefore) = (OpenSSLMemory.usage, try Self.residentKiB())
      for _ in 0..<2 { try await Conversations.play(5000) }
      let (after, residentAfter) = (OpenSSLMemory.usage, try Self.residentKiB())
      #expect(after.blocks <= before.blocks, "\(after.growth(since: before))")
      #expect(after.bytes <= before.bytes, "\(after.growth(since: before))")
      print("10,000 conversations: \(residentBefore) KiB before, \(residentAfter) KiB after")
      #expect(residentAfter - residentBefore < Self.growthKiBMax)
    }
  }
}

/// What may become of a dial to a server with TLS, and from where.
private struct DialFates {
  private let authority = TLSTestAuthority()
  private let stranger = TLSTestAuthority()
  private let identity: TLSTestIdentity

  init() {
    identity = authority.issue("IP:127.0.0.1")
  }

  /// The handlers of some dials, which nothing is to hold any more when all is over.
  private final class Handlers: @unchecked Sendable {
    struct Entry { weak var handler: UpstreamHandler? }
    var entries: [Entry] = []
    var left: Int { entries.count { $0.handler != nil } }
  }

  func playAll() async throws {
    let handlers = Handlers()
    let dial = Dial()
    try await playAnswered(dial, handlers)
    try await playUnanswered(dial, handlers)
    try await dial.end()
    #expect(handlers.entries.count >= 10)
    #expect(handlers.left == 0)
  }

  private func playAnswered(_ dial: Dial, _ handlers: Handlers) async throws {
    let server = try await DialerServer.start(dial.group, tls: TLSTestServerContext(identity))
    let port = server.localAddress?.port ?? 0
    let url = "wss://127.0.0.1:\(port)/"
    let tls = try TLSContext(trust: .caFile(authority.file))
    let ends: [@Sendable (UpstreamHandler) -> Void] = [
      { $0.drop() }, { $0.close(code: 1000, reason: "") },
      { $0.send(OutboundMessage(ByteBuffer(string: "close")), token: 1) },
      { $0.context?.channel.close(promise: nil) },
      { handler in
        // Half of it is still to be written.
        let text = String(repeating: "x", count: 4 << 20)
        handler.send(OutboundMessage(ByteBuffer(string: text)), token: 1)
        handler.drop()
      },
    ]
    for end in ends {
      _ = try await dial.run(url, tls: tls) { handler, call in
        handlers.entries.append(.init(handler: handler))
        if call == .opened { end(handler) }
      }
    }
    let mistrusting = try TLSContext(trust: .caFile(stranger.file))
    try await play(url, mistrusting, dial, handlers)
    try await server.close().get()
  }

  private func playUnanswered(_ dial: Dial, _ handlers: Handlers) async throws {
    let tls = try TLSContext(trust: .caFile(authority.file))
    let mute = try await DialerServer.startMute(dial.group)
    let mail = try await DialerServer.startMute(dial.group, greeting: "220 smtp.example\r\n")
    for server in [mute, mail] {
      let port = server.localAddress?.port ?? 0
      try await play("wss://127.0.0.1:\(port)/", tls, dial, handlers)
      try await play("ws://127.0.0.1:\(port)/", nil, dial, handlers)
    }
    try await play("wss://127.0.0.1:1/", tls, dial, handlers)
    try await playDropped("wss://127.0.0.1:\(mute.localAddress?.port ?? 0)/", tls, dial, handlers)
    for server in [mute, mail] { try await server.close().get() }
  }

  /// A dial that fails, or that is not answered in time.
  private func play(
    _ url: String, _ tls: TLSContext?, _ dial: Dial, _ handlers: Handlers
  ) async throws {
    var options = UpstreamHandler.Options()
    options.connectTimeout = .milliseconds(60)
    _ = try await dial.run(url, tls: tls, options: options) { handler, _ in
      handlers.entries.append(.init(handler: handler))
    }
  }

  /// A dial that is dropped while it connects.
  private func playDropped(
    _ url: String, _ tls: TLSContext, _ dial: Dial, _ handlers: Handlers
  ) async throws {
    let endpoint = UpstreamEndpoint(
      address: try UpstreamAddress(url: url), headers: [], tls: tls)
    let loop = dial.loop
    try await loop.submit {
      let handler = UpstreamDialer(eventLoop: loop).dial(
        ConnectionNumber(1), to: endpoint, options: .init(), delegate: RecordingDelegate())
      handlers.entries.append(.init(handler: handler))
      handler.drop()
    }.get()
  }
}
