import HotlineCore

/// A broker with open connections and clients, and a driver that does only what one request needs.
struct World {
  private var broker: Broker
  private var now = MonotonicInstant(nanoseconds: 1_000_000_000)
  private var nextClient: UInt64 = 1
  private var connection = ConnectionNumber(1)
  private var request = RequestNumber(1)

  init(connections: Int, clients: Int) {
    var limits = Limits()
    limits.clientsMax = 1 << 20
    limits.queueRequestsMax = 1 << 20
    limits.requestsPerClientMax = 1 << 20
    limits.queuedNoticeAfter = .seconds(3600)
    limits.waitTimeout = .seconds(3600)
    var upstream = UpstreamLimits()
    upstream.connectionsWarm = connections
    upstream.connectionsMax = connections
    upstream.dialsMax = connections
    broker = Broker(
      limits: limits, upstreams: [UpstreamSettings(name: "up", limits: upstream)], ownerUID: 1000,
      seed: 1)
    for case .dial(let number, let index) in broker.started(at: now) {
      keep(broker.connectionOpened(number, of: index, at: now))
    }
    pass()
    for _ in 0..<clients { connect() }
  }

  private mutating func pass() {
    now = now.advanced(by: .microseconds(100))
  }

  @discardableResult
  mutating func connect() -> ClientNumber {
    let client = ClientNumber(nextClient)
    nextClient += 1
    keep(broker.clientConnected(client, uid: 1000, at: now))
    return client
  }

  mutating func close(_ client: ClientNumber) {
    keep(broker.clientHalfClosed(client, at: now))
    keep(broker.clientClosed(client, at: now))
  }

  /// A request of the client of that place, which may wait.
  mutating func ask(from place: Int) {
    ask(from: ClientNumber(UInt64(place + 1)))
  }

  mutating func ask(from client: ClientNumber) {
    pass()
    let spec = NewRequest(id: nil, upstream: UpstreamIndex(0))
    take(broker.requestArrived(spec, from: client, memoryHeld: 200, at: now))
    keep(broker.nextDeadline(at: now))
  }

  private mutating func take(_ actions: [Action]) {
    for case .send(let number, let connection, _) in actions {
      (request, self.connection) = (number, connection)
      broker.requestHandedOver(number, on: connection)
    }
  }

  /// The response to the request that was sent last begins.
  mutating func begin() {
    var event = EventFacts(.progress, isResponseEvent: true)
    event.responseID = "resp_0123456789abcdef"
    take(broker.eventArrived(event, on: connection, of: UpstreamIndex(0), unreadBytes: 0, at: now))
  }

  mutating func progress(isText: Bool) -> Bool {
    let progress = broker.progressArrived(
      isText: isText, on: connection, of: UpstreamIndex(0), unreadBytes: 0, at: now)
    return progress == .deliver(request)
  }

  /// Ends the response of the request that was sent last; the next that waits takes its place.
  mutating func end() {
    pass()
    var event = EventFacts(.terminal(.completed), isResponseEvent: true)
    event.responseID = "resp_0123456789abcdef"
    take(broker.eventArrived(event, on: connection, of: UpstreamIndex(0), unreadBytes: 0, at: now))
    keep(broker.nextDeadline(at: now))
  }
}
