import HotlineCore
import HotlineTLS
import NIOCore
import NIOPosix
import Synchronization
import TestSupport
import Testing

@testable import HotlineTransport

extension EpollLoop {
  private static let several = (0..<4).map { _ in EpollLoop() }
  private static let next = Atomic<Int>(0)

  /// One of several in turn, for tests that leave nothing behind on it.
  static var shared: EpollLoop {
    several[next.wrappingAdd(1, ordering: .relaxed).newValue & 3]
  }
}

/// One dial on a loop of its own, with real sockets.
struct Dial {
  typealias Call = RecordingDelegate.Call
  let loop = EpollLoop()
  /// For servers, which are NIO's.
  let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
  private let dialers: NIOLoopBoundBox<[UpstreamDialer]>

  init() {
    dialers = .makeBoxSendingValue([], eventLoop: loop)
  }

  /// On the loop, which ends no sooner than what it looks up.
  func dialer(lookup: @escaping NameLookup.Function) -> UpstreamDialer {
    let dialer = UpstreamDialer(eventLoop: loop, lookup: lookup)
    dialers.value.append(dialer)
    return dialer
  }

  /// Dials, lets `script` act on each call, and gives all calls when the connection has ended.
  func run(
    _ url: String, tls: TLSContext? = nil, proxy: UpstreamEndpoint.Proxy? = nil,
    options: UpstreamHandler.Options = .init(),
    _ script: @escaping @Sendable (UpstreamHandler, Call) -> Void = { _, _ in },
    lookup: @escaping NameLookup.Function = NameLookup.addresses
  ) async throws -> (calls: [Call], failure: ConnectionFailure, facts: UpgradeFacts?) {
    let endpoint = UpstreamEndpoint(
      address: try UpstreamAddress(url: url), headers: [], tls: tls, proxy: proxy)
    return try await loop.flatSubmit { [loop] in
      let ended = loop.makePromise(
        of: (calls: [Call], failure: ConnectionFailure, facts: UpgradeFacts?).self)
      let delegate = RecordingDelegate()
      let handler = dialer(lookup: lookup).dial(
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

  private func isLookingUp() async throws -> Bool {
    try await loop.flatSubmit { [loop, dialers] in
      loop.scheduleTask(in: .milliseconds(2)) {
        dialers.value.contains { !$0.lookups.isIdle }
      }.futureResult
    }.get()
  }

  func end(_ server: (any Channel)? = nil) async throws {
    try await server?.close().get()
    let deadline = Deadline()
    while try await isLookingUp(), !deadline.isReached {}
    try await loop.shutdownGracefully()
    try await group.shutdownGracefully()
  }
}
