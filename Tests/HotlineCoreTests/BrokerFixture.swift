import Testing

@testable import HotlineCore

/// A broker with a driver of the simplest kind: it hands inputs over and checks, after each, what
/// must hold whatever happened.
///
/// Instants are milliseconds; an input without one comes at the instant of the one before.
struct BrokerFixture {
  var broker: Broker
  private(set) var now = 0
  private(set) var words: [String] = []
  private var finished: Set<RequestNumber> = []
  private var closedConnections: Set<ConnectionNumber> = []
  private var closedClients: Set<ClientNumber> = []
  private var hasStopped = false
  /// What was heard last may be what something waits for.
  private(set) var isSignAwaited = false

  init(
    limits: Limits = Limits(), upstreams: [UpstreamSettings], clients: Int = 1, seed: UInt64 = 1
  ) {
    broker = Broker(limits: limits, upstreams: upstreams, ownerUID: 1000, seed: seed)
    for client in 0..<clients { connect(ClientNumber(UInt64(client + 1))) }
  }

  /// One upstream, nothing dialled yet.
  init(
    clients: Int = 1, continuation: UpstreamSettings.Continuation = .connection,
    limits: Limits = Limits(),
    _ changeUpstream: (inout UpstreamLimits) -> Void = { _ in }
  ) {
    var upstream = UpstreamLimits()
    changeUpstream(&upstream)
    let settings = UpstreamSettings(name: "up", limits: upstream, continuation: continuation)
    self.init(limits: limits, upstreams: [settings], clients: clients)
  }

  /// One upstream whose warm connections are open.
  static func warm(
    clients: Int = 1, continuation: UpstreamSettings.Continuation = .connection,
    limits: Limits = Limits(), _ upstream: (inout UpstreamLimits) -> Void = { _ in }
  ) -> Self {
    var fixture = Self(clients: clients, continuation: continuation, limits: limits, upstream)
    for action in fixture.start() {
      if case .dial(let number, _) = action { fixture.opened(number) }
    }
    return fixture
  }

  /// One upstream with one connection, which is open; there is never a second.
  static func single(
    clients: Int = 1, continuation: UpstreamSettings.Continuation = .connection,
    limits: Limits = Limits(), _ upstream: (inout UpstreamLimits) -> Void = { _ in }
  ) -> Self {
    warm(clients: clients, continuation: continuation, limits: limits) {
      $0.connectionsMax = 1
      upstream(&$0)
    }
  }

  var pool: UpstreamPool { broker.upstreams[0].pool }
  var nextDeadline: MonotonicInstant? { broker.nextDeadline(at: t(now)) }

  // MARK: Inputs

  @discardableResult
  mutating func start(at instant: Int? = nil) -> [Action] {
    step(instant) { broker, now in broker.started(at: now) }
  }

  @discardableResult
  mutating func connect(
    _ client: ClientNumber, uid: UInt32 = 1000, at instant: Int? = nil
  ) -> [Action] {
    step(instant) { broker, now in broker.clientConnected(client, uid: uid, at: now) }
  }

  @discardableResult
  mutating func ask(
    _ id: ByteString?, from client: ClientNumber = 1, at instant: Int? = nil, memoryHeld: Int = 0,
    upstream: UpstreamIndex = 0, _ change: (inout NewRequest) -> Void = { _ in }
  ) -> [Action] {
    var spec = NewRequest(id: id.map { .string($0) }, upstream: upstream)
    change(&spec)
    return step(instant) { broker, now in
      broker.requestArrived(spec, from: client, memoryHeld: memoryHeld, at: now)
    }
  }

  @discardableResult
  mutating func cancel(
    _ id: ByteString, by client: ClientNumber = 1, at instant: Int? = nil
  ) -> [Action] {
    step(instant) { broker, now in broker.cancelRequested(.string(id), by: client, at: now) }
  }

  /// Somebody who may has a request of any client ended; one that may not gets no actions.
  @discardableResult
  mutating func cancel(
    _ id: ByteString, of client: ClientNumber, for asker: ClientNumber, at instant: Int? = nil
  ) -> [Action] {
    step(instant) { broker, now in
      (try? broker.cancelRequested(.string(id), of: client, by: asker, at: now)) ?? []
    }
  }

  @discardableResult
  mutating func control(
    _ id: ByteString, _ message: ControlMessage = .steer, response: ByteString? = nil,
    by client: ClientNumber = 1
  ) -> [Action] {
    step(nil) { broker, _ in
      broker.controlArrived(message, for: .string(id), responseID: response, from: client)
    }
  }

  @discardableResult
  mutating func withdraw(_ message: ControlMessage, of request: RequestNumber) -> [Action] {
    step(nil) { broker, now in broker.controlWithdrawn(message, for: request, at: now) }
  }

  @discardableResult
  mutating func halfClose(_ client: ClientNumber, at instant: Int? = nil) -> [Action] {
    step(instant) { broker, now in broker.clientHalfClosed(client, at: now) }
  }

  @discardableResult
  mutating func hangUp(_ client: ClientNumber, at instant: Int? = nil) -> [Action] {
    step(instant) { broker, now in broker.clientClosed(client, at: now) }
  }

  @discardableResult
  mutating func opened(
    _ number: ConnectionNumber, of upstream: UpstreamIndex = 0, mayWarmUp: Bool = true,
    at instant: Int? = nil
  ) -> [Action] {
    step(instant) { broker, now in
      broker.connectionOpened(number, of: upstream, mayWarmUp: mayWarmUp, at: now)
    }
  }

  @discardableResult
  mutating func closed(
    _ number: ConnectionNumber, _ failure: ConnectionFailure = .local,
    of upstream: UpstreamIndex = 0, at instant: Int? = nil
  ) -> [Action] {
    step(instant) { broker, now in
      broker.connectionClosed(number, of: upstream, failure, at: now)
    }
  }

  mutating func handedOver(_ number: RequestNumber) {
    broker.requestHandedOver(number)
  }

  mutating func heard(_ number: ConnectionNumber, at instant: Int? = nil) {
    now = instant ?? now
    isSignAwaited = broker.bytesHeard(on: number, of: 0, at: t(now))
  }

  @discardableResult
  mutating func pong(
    _ number: ConnectionNumber, id: UInt64, at instant: Int? = nil
  ) -> [Action] {
    step(instant) { broker, now in broker.pongReceived(id: id, on: number, of: 0, at: now) }
  }

  @discardableResult
  mutating func event(
    _ event: EventFacts, on number: ConnectionNumber = 1, of upstream: UpstreamIndex = 0,
    unread: Int = 0, at instant: Int? = nil
  ) -> [Action] {
    step(instant) { broker, now in
      broker.eventArrived(event, on: number, of: upstream, unreadBytes: unread, at: now)
    }
  }

  mutating func progress(
    isText: Bool, on number: ConnectionNumber = 1, lane: LaneReference = .none, unread: Int = 0,
    at instant: Int? = nil
  ) -> Broker.Progress {
    now = instant ?? now
    return broker.progressArrived(
      isText: isText, on: number, of: 0, lane: lane, unreadBytes: unread, at: t(now))
  }

  @discardableResult
  mutating func terminate(at instant: Int? = nil) -> [Action] {
    step(instant) { broker, now in broker.terminationRequested(at: now) }
  }

  @discardableResult
  mutating func drain(
    _ command: CommandNumber, by client: ClientNumber = 1, at instant: Int? = nil
  ) -> [Action] {
    step(instant) { broker, now in broker.drainRequested(command, by: client, at: now) }
  }

  /// A reload with what `change` makes of the settings there are.
  @discardableResult
  mutating func reload(
    at instant: Int? = nil, limits: Limits? = nil,
    _ change: (inout [UpstreamReload]) -> Void = { _ in }
  ) -> [Action] {
    var reloads = broker.upstreams.map { UpstreamReload($0.pool.settings) }
    change(&reloads)
    return step(instant) { broker, now in
      broker.reloaded(limits: limits ?? broker.limits, upstreams: reloads, at: now)
    }
  }

  @discardableResult
  mutating func rateLimits(_ limits: RateLimit..., at instant: Int? = nil) -> [Action] {
    step(instant) { broker, now in broker.rateLimitsSaid(limits, by: 0, at: now) }
  }

  @discardableResult
  mutating func networkChanged(at instant: Int? = nil) -> [Action] {
    step(instant) { broker, now in broker.networkChanged(at: now) }
  }

  /// The deadline input at one instant; what is still due afterwards must have made progress.
  @discardableResult
  mutating func deadline(at instant: Int) -> [Action] {
    let actions = step(instant) { broker, now in broker.deadlineReached(at: now) }
    if let next = nextDeadline { #expect(next > t(now) || !actions.isEmpty) }
    return actions
  }

  /// Lets time pass as the driver does, from deadline to deadline, and collects what is done.
  @discardableResult
  mutating func pass(to instant: Int) -> [Action] {
    var actions: [Action] = []
    var callsAtOneInstant = 0
    while let next = nextDeadline, next <= t(instant) {
      let due = max(now, Int((next.nanoseconds + 999_999) / 1_000_000))
      callsAtOneInstant = due == now ? callsAtOneInstant + 1 : 0
      #expect(callsAtOneInstant < 10, "the driver would spin")
      guard callsAtOneInstant < 10, due <= instant else { break }
      actions += deadline(at: due)
    }
    now = instant
    return actions
  }

  // MARK: Shorthands

  /// A request that is sent, handed over and begins a response.
  mutating func run(
    _ id: ByteString, response: ByteString, as number: RequestNumber,
    on connection: ConnectionNumber = 1, lane: LaneReference = .none, from client: ClientNumber = 1,
    _ change: (inout NewRequest) -> Void = { _ in }
  ) {
    ask(id, from: client, change)
    handedOver(number)
    event(.created(response).of(lane), on: connection)
  }

  /// A request that is served to its end.
  mutating func serve(
    _ id: ByteString, response: ByteString, as number: RequestNumber,
    on connection: ConnectionNumber = 1, lane: LaneReference = .none, from client: ClientNumber = 1,
    _ change: (inout NewRequest) -> Void = { _ in }
  ) {
    run(id, response: response, as: number, on: connection, lane: lane, from: client, change)
    event(.ended(.completed, response).of(lane), on: connection)
  }

  // MARK: What must always hold

  private mutating func step(
    _ instant: Int?, _ input: (inout Broker, MonotonicInstant) -> [Action]
  ) -> [Action] {
    now = instant ?? now
    let actions = input(&broker, t(now))
    words = actions.words
    for action in actions { record(action) }
    checkRequests()
    for upstream in broker.upstreams { check(upstream) }
    return actions.withoutWords
  }

  private mutating func record(_ action: Action) {
    #expect(!hasStopped || action.isHarmlessAfterStop, "\(action) after stop")
    switch action {
    case .finish(let number, _, _):
      let isFirst = finished.insert(number).inserted
      #expect(isFirst, "\(number) finished twice")
    case .deliver(let number), .notifyQueued(let number, _, _), .accept(let number, _):
      #expect(!finished.contains(number), "\(action) after the last line")
    case .warmUp(_, let connection, _):
      #expect(!closedConnections.contains(connection), "\(action) after the close")
    case .send(let number, let connection, _), .forward(let number, let connection, _):
      #expect(!finished.contains(number), "\(action) after the last line")
      #expect(!closedConnections.contains(connection), "\(action) after the close")
    case .closeConnection(let connection, _):
      let isFirst = closedConnections.insert(connection).inserted
      #expect(isFirst, "\(connection) closed twice")
    case .closeClient(let client):
      let isFirst = closedClients.insert(client).inserted
      #expect(isFirst, "\(client) closed twice")
    case .stop:
      hasStopped = true
    case .refuse, .answer, .dial, .sendPing, .cancelResponse, .accountForWarmUp, .giveUpWarmUps,
      .giveUpLanes:
      break
    }
  }

  private func checkRequests() {
    for (number, request) in broker.requests {
      if let next = broker.nextDeadline(at: t(now)) {
        #expect(next <= request.nextDeadline, "\(number) has no deadline")
      } else {
        Issue.record("\(number) has no deadline")
      }
      guard case .running(let connection, let lane) = request.state else { continue }
      #expect(broker.running(on: connection, lane: lane, of: request) != nil)
    }
    for client in broker.clients.values {
      for (id, number) in client.open { #expect(broker.requests[number]?.id == id) }
    }
  }

  private func check(_ upstream: Broker.Upstream) {
    let pool = upstream.pool
    let waiting = broker.requests.values.filter {
      $0.spec.upstream == pool.index && $0.isWaiting
    }
    #expect(upstream.waitingCount == waiting.count)
    #expect(upstream.queue.count == waiting.count { $0.state == .queued })
    #expect(pool.connections.readyCount + pool.dialingCount <= pool.limits.connectionsMax + 1)
    #expect(pool.dialingCount <= pool.limits.dialsMax)
    for order in upstream.orders.values {
      #expect(broker.requests[order.current] != nil, "a conversation is never released")
      for follower in Array(order.followers) { #expect(broker.requests[follower] != nil) }
    }
    for connection in pool.connections.all { check(connection) }
    #expect(broker.invariantFailures(at: t(now)) == [])
  }

  private func check(_ connection: UpstreamConnection) {
    for (index, lane) in connection.lanes.enumerated() {
      guard let running = lane.running else { continue }
      let state = broker.requests[running.request]?.state
      #expect(state == .running(on: connection.number, lane: index))
    }
    for number in Array(connection.pinned) {
      guard case .pinned(to: connection.number, _) = broker.requests[number]?.state else {
        Issue.record("\(number) left and still stands in a connection's line")
        continue
      }
    }
  }
}

extension Action {
  fileprivate var isHarmlessAfterStop: Bool {
    switch self {
    case .refuse, .closeClient, .closeConnection, .forward, .accountForWarmUp, .giveUpWarmUps,
      .giveUpLanes:
      true
    case .warmUp, .answer, .accept, .send, .deliver, .notifyQueued, .finish, .dial, .sendPing,
      .stop, .cancelResponse:
      false
    }
  }
}
