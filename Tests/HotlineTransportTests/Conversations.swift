import HotlineCore
import HotlineTLS
import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import HotlineTransport

/// Connections that are opened, asked one thing and ended, a few at a time; every other server
/// compresses.
///
/// Confined to its loop.
final class Conversations: UpstreamHandlerDelegate {
  private enum End: Int, CaseIterable { case byUs, byTheServer, byUsAtOnce, dropped }

  private static let atOnce = 4
  private static let question = String(repeating: "What is the answer? ", count: 20)

  private let dialer: UpstreamDialer
  private let endpoints: [UpstreamEndpoint]
  private let count: Int
  private let ended: EventLoopPromise<Void>
  private let loop: EpollLoop
  private var begun = 0
  private var handlers: [ConnectionNumber: UpstreamHandler] = [:]
  private var tally = Tally()

  /// How many were what.
  private struct Tally {
    var answered = 0
    var compressed = 0
    var resumed = 0
  }

  private init(_ count: Int, _ endpoints: [UpstreamEndpoint], _ loop: EpollLoop) {
    self.count = count
    self.endpoints = endpoints
    self.loop = loop
    dialer = UpstreamDialer(eventLoop: loop)
    ended = loop.makePromise()
  }

  /// Has `count` of them, with contexts of their own, and is done when their channels are gone.
  static func play(_ count: Int) async throws {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let authority = TLSTestAuthority()
    let context = TLSTestServerContext(authority.issue("IP:127.0.0.1"))
    let tls = try TLSContext(trust: .caFile(authority.file))
    var endpoints: [UpstreamEndpoint] = []
    var servers: [any Channel] = []
    for extensions in [nil, "permessage-deflate"] {
      let server = try await DialerServer.start(group, tls: context, extensions: extensions)
      let address = try UpstreamAddress(url: "wss://127.0.0.1:\(server.localAddress?.port ?? 0)/")
      endpoints.append(UpstreamEndpoint(address: address, headers: [], tls: tls))
      servers.append(server)
    }
    let loop = EpollLoop()
    let tally = try await loop.flatSubmit { [endpoints] in
      let all = Conversations(count, endpoints, loop)
      for _ in 0..<atOnce { all.begin() }
      let bound = NIOLoopBound(all, eventLoop: loop)
      return all.ended.futureResult.map { bound.value.tally }
    }.get()
    #expect(tally.answered == count)
    #expect(tally.compressed == count / 2)
    #expect(tally.resumed > count * 9 / 10)
    for server in servers { try await server.close().get() }
    try await loop.shutdownGracefully()
    try await group.shutdownGracefully()
  }

  private func begin() {
    guard begun < count else { return }
    let number = ConnectionNumber(UInt64(begun))
    begun += 1
    handlers[number] = dialer.dial(
      number, to: endpoints[begun % 2], options: UpstreamHandler.Options(), delegate: self)
  }

  // MARK: What the connections say

  func upstreamOpened(_ connection: ConnectionNumber, _ facts: UpgradeFacts) {
    if facts.deflate != nil { tally.compressed += 1 }
    if facts.isTLSResumed == true { tally.resumed += 1 }
    handlers[connection]?.send(OutboundMessage(ByteBuffer(string: Self.question)), token: 1)
  }

  func upstreamReceived(
    _ connection: ConnectionNumber, _ message: UnsafeRawBufferPointer, isBinary: Bool
  ) {
    if message.elementsEqual(Self.question.utf8) { tally.answered += 1 }
    let handler = handlers[connection]
    switch End.allCases[Int(connection.rawValue / 2) % End.allCases.count] {
    case .byUs: handler?.close(code: 1000, reason: "")
    case .byTheServer: handler?.send(OutboundMessage(ByteBuffer(string: "close")), token: 2)
    case .byUsAtOnce:
      handler?.close(code: 1000, reason: "")
      handler?.drop()
    case .dropped: handler?.drop()
    }
  }

  func upstreamPong(_ connection: ConnectionNumber, pingID: UInt64) {}
  func upstreamReadCompleted(_ connection: ConnectionNumber) {}
  func upstreamHandedOver(_ connection: ConnectionNumber, token: UInt64) {}

  func upstreamClosed(_ connection: ConnectionNumber, _ failure: ConnectionFailure) {
    handlers[connection] = nil
    let bound = NIOLoopBound(self, eventLoop: loop)
    loop.execute {
      bound.value.begin()
      if bound.value.handlers.isEmpty { bound.value.ended.succeed() }
    }
  }
}
