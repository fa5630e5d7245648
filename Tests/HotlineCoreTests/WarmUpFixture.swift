@testable import HotlineCore

extension BrokerFixture {
  /// One upstream whose connections are warmed up, nothing dialled yet.
  static func warmingUp(
    clients: Int = 2, _ change: (inout UpstreamLimits) -> Void = { _ in }
  ) -> Self {
    var limits = UpstreamLimits()
    change(&limits)
    let settings = UpstreamSettings(name: "up", limits: limits, warmsUp: true)
    return Self(upstreams: [settings], clients: clients)
  }

  /// The same with one open connection, whose warm-up is number 1 and on its way to the server.
  static func sentAWarmUp(
    clients: Int = 2, _ change: (inout UpstreamLimits) -> Void = { _ in }
  ) -> Self {
    var fixture = warmingUp(clients: clients, change)
    fixture.start()
    fixture.opened(1)
    return fixture
  }

  var warmUps: WarmUps.Snapshot { broker.snapshot(at: t(now)).upstreams[0].warmUps }
  var laneZero: Lane.State? { pool.connections[1]?.lanes[0].state }
}

extension EventFacts {
  /// As a server says it that does not know the member.
  static let unknownGenerate: Self = {
    var event = error("unknown_parameter", "Unknown parameter: 'generate'")
    event.errorParam = "generate"
    event.errorStatus = 400
    return event
  }()

  func with(status: Int) -> Self {
    var event = self
    event.errorStatus = status
    return event
  }
}
