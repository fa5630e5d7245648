import Testing

@testable import HotlineCore

extension BrokerFixture {
  /// One connection, which is open and settled, with several lanes.
  static func lanes(
    _ count: Int, clients: Int = 2, continuation: UpstreamSettings.Continuation = .connection,
    limits: Limits = Limits(), _ upstream: (inout UpstreamLimits) -> Void = { _ in }
  ) -> Self {
    var fixture = single(clients: clients, continuation: continuation, limits: limits) {
      $0.lanes = count
      upstream(&$0)
    }
    fixture.pass(to: 3_000)
    return fixture
  }

  /// The same, on which responses run on the first lanes: the server has shown that it knows them.
  /// Number n runs `rn` on lane n - 1.
  static func running(
    _ running: Int, of count: Int, clients: Int = 2, limits: Limits = Limits(),
    _ upstream: (inout UpstreamLimits) -> Void = { _ in }
  ) -> Self {
    var fixture = lanes(count, clients: clients, limits: limits, upstream)
    for lane in 0..<running { fixture.runOnLane(lane) }
    return fixture
  }

  /// Runs number n as `rn` on lane n - 1, or on another.
  mutating func runOnLane(
    _ lane: Int, _ change: (inout NewRequest) -> Void = { _ in }, on other: Int? = nil
  ) {
    run(
      Self.request(lane), response: Self.response(lane), as: RequestNumber(UInt64(lane + 1)),
      lane: .lane(other ?? lane), change)
  }

  /// Ends what ``runOnLane(_:_:)`` began.
  @discardableResult
  mutating func endOnLane(_ lane: Int, at instant: Int? = nil) -> [Action] {
    event(.ended(.completed, Self.response(lane)).of(.lane(lane)), at: instant)
  }

  static func request(_ lane: Int) -> ByteString { ByteString("q\(lane + 1)".utf8) }
  static func response(_ lane: Int) -> ByteString { ByteString("r\(lane + 1)".utf8) }

  func echo(of number: ConnectionNumber = 1) -> UpstreamConnection.LaneEcho? {
    pool.connections[number]?.laneEcho
  }

  /// How number n ends that ``runOnLane(_:_:)`` began on lane n - 1.
  static func ended(
    _ lane: Int, _ outcome: Outcome, with error: HotlineError? = nil, after total: Int = 0,
    events: Int = 1
  ) -> Action {
    .finish(
      RequestNumber(UInt64(lane + 1)), error,
      done(
        outcome, on: 1, reused: true, response: response(lane), firstEvent: 0, total: total,
        events: events))
  }

  /// What ends every response on a connection whose server breaks the protocol.
  static let violated = failure(
    .upstreamProtocol, origin: .upstream, sent: .yes, retryable: true)
}
