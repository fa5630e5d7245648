import HotlineCore
import TestSupport

/// The real broker between simulated clients and simulated servers on a virtual clock.
///
/// One seed, one run: nothing depends on real time, the order of a hash table, or another run. It
/// stops at the first violation of a promise.
final class Simulation {
  /// What the input that is being handled brought: the core calls it "at hand".
  enum AtHand {
    case nothing
    case line(ClientNumber, answers: Int)
    case message(ConnectionNumber, Message)
  }

  enum Phase { case acting, peaceful, over }

  static let stepsMax = 200_000

  let seed: UInt64
  let scenario: Scenario
  let isTraced: Bool
  var random: SplitMix64
  var broker: Broker
  var agenda = Agenda()
  var phase = Phase.acting

  /// Nanoseconds since the start of the run.
  var now: Int64 = 1
  var step = 0
  /// When the driver's one timer fires, and the deadline that it was armed for.
  var timer: (deadline: Int64, firesAt: Int64)?
  var atHand = AtHand.nothing

  var clients: [ClientNumber: SimulatedClient] = [:]
  var connections: [ConnectionNumber: SimulatedConnection] = [:]
  var requests: [RequestNumber: TrueRequest] = [:]
  /// The open ones of `requests`.
  var open: Set<RequestNumber> = []
  /// Those of `connections` that are not gone.
  var present: Set<ConnectionNumber> = []
  var nextClient: UInt64 = 1
  var nextResponse = 1
  /// The connection that made each response.
  var makers: [ByteString: ConnectionNumber] = [:]
  var conversationTurns: [ConversationKey: [RequestNumber]] = [:]
  var dials: [DialHistory] = []
  var interactiveInARow: [Int] = []
  /// The request whose line is at hand.
  var arriving: NewRequest?
  /// Responses that a failed continuation took out of the memory.
  var evicted: Set<ByteString> = []
  var isTerminating = false
  var terminatedAt: Int64 = 0
  var isStopped = false
  var tally = Tally()
  var trace: [String] = []
  var violation: String?

  struct ConversationKey: Hashable {
    var uid: UInt32
    var upstream: UpstreamIndex
    var name: ByteString
  }

  /// What became of the dials of one upstream.
  struct DialHistory {
    var lastFailureAt: Int64?
    var notBefore: Int64 = 0
    /// Instants of the latest dials that were made while no request was open.
    var idleDials: [Int64] = []
    var lastRequestAt: Int64 = 0
  }

  /// Counts of a run: they bound idle work, and show that a run was no empty one.
  struct Tally: Equatable {
    var accepted = 0
    var refused = 0
    var finished = 0
    var delivered = 0
    var dials = 0
    var resent = 0
    var opened = 0
    var timerCalls = 0
    var emptyTimerCalls = 0
    var timerCallsAtThisInstant = 0
    var digest: UInt64 = 0xCBF2_9CE4_8422_2325
  }

  init(seed: UInt64, isTraced: Bool = false) {
    self.seed = seed
    self.isTraced = isTraced
    var random = SplitMix64(seed: seed)
    scenario = Scenario(from: &random)
    self.random = random
    broker = Broker(
      limits: scenario.limits, upstreams: scenario.upstreams, ownerUID: 1000, seed: seed)
    dials = scenario.upstreams.map { _ in DialHistory() }
    interactiveInARow = scenario.upstreams.map { _ in 0 }
  }

  var instant: MonotonicInstant { MonotonicInstant(nanoseconds: now) }

  /// Runs to the end, or to the first violation.
  func run() {
    plan()
    feed("started") { $0.started(at: instant) }
    while violation == nil, !isStopped, phase != .over {
      guard let next = agenda.nextInstant else { return complain("nothing is planned any more") }
      if let timer, timer.firesAt < next {
        advance(to: timer.firesAt)
        callTimer("timer")
      } else {
        advance(to: next)
        if let occurrence = agenda.popFirst() { handle(occurrence) }
      }
    }
  }

  private func advance(to instant: Int64) {
    guard instant > now else { return }
    now = instant
    tally.timerCallsAtThisInstant = 0
  }

  private func plan() {
    for _ in 0..<scenario.clientsCount {
      let client = ClientNumber(nextClient)
      nextClient += 1
      agenda.plan(.clientConnects(client), at: random.time(0, .seconds(3)))
    }
    for (index, server) in scenario.servers.enumerated() {
      for outage in server.outages where outage.from < scenario.activeNanoseconds {
        agenda.plan(.outageBegins(UpstreamIndex(index)), at: outage.from)
      }
    }
    for _ in 0..<scenario.earlyTimers {
      agenda.plan(.timerComesEarly, at: random.time(0, scenario.activeNanoseconds))
    }
    if let terminatesAt = scenario.terminatesAt {
      agenda.plan(.terminationIsRequested, at: terminatesAt)
      if scenario.terminatesTwice {
        agenda.plan(.terminationIsRequested, at: terminatesAt + random.time(0, .seconds(40)))
      }
    }
    // Every wait is bounded: a request by its timeout, a circuit and a Retry-After by ten minutes.
    let peaceAt = scenario.activeNanoseconds
    let overAt = peaceAt + scenario.limits.requestTimeout.nanoseconds + .seconds(1)
    agenda.plan(.peaceBegins, at: peaceAt)
    agenda.plan(.requestsAreOver, at: overAt)
    let mayRefuse = scenario.servers.contains { !$0.outages.isEmpty || $0.faults.dialFails > 0 }
    // An unwanted response is read for abandonedTimeout after its request is over.
    let warmAt = max(overAt + .seconds(70), peaceAt + .seconds(mayRefuse ? 11 * 60 : 60))
    agenda.plan(.poolIsWarm, at: warmAt)
    agenda.plan(.quietEnds, at: warmAt + .seconds(180))
  }

  // MARK: Inputs

  /// One step: an input to the core, its actions performed in order, everything checked.
  func feed(_ input: @autoclosure () -> String, _ call: (inout Broker) -> [Action]) {
    guard violation == nil, !isStopped else { return }
    step += 1
    if isTraced { note("← \(input())") }
    let actions = call(&broker)
    for action in actions where violation == nil {
      if isTraced { note("    → \(describe(action))") }
      perform(action)
    }
    guard violation == nil else { return }
    checkAfterStep()
    armTimer()
    atHand = .nothing
    if step > Self.stepsMax { complain("the run takes more than \(Self.stepsMax) steps") }
  }

  func callTimer(_ name: String) {
    tally.timerCalls += 1
    tally.timerCallsAtThisInstant += 1
    let instant = instant
    timer = nil
    feed(name) { broker in
      let actions = broker.deadlineReached(at: instant)
      if actions.isEmpty { tally.emptyTimerCalls += 1 }
      return actions
    }
    if violation == nil, !isStopped { checkDeadlines() }
  }

  private func armTimer() {
    guard let deadline = broker.nextDeadline(at: instant)?.nanoseconds else {
      timer = nil
      return
    }
    guard timer?.deadline != deadline else { return }
    let late = scenario.timerLateMax > 0 ? random.time(0, scenario.timerLateMax) : 0
    timer = (deadline, max(deadline, now) + late)
  }

  func complain(_ what: String) {
    guard violation == nil else { return }
    violation = what
    if isTraced { note("!!! \(what)") }
  }

  func note(_ line: String) {
    trace.append("#\(step) \(seconds(now)) \(line)")
  }

  private func seconds(_ nanoseconds: Int64) -> String {
    let micros = nanoseconds / 1000
    return "\(micros / 1_000_000).\(String(1_000_000 + micros % 1_000_000).dropFirst())s"
  }

  // MARK: Occurrences

  private func handle(_ occurrence: Occurrence) {
    switch occurrence {
    case .clientConnects(let client): connect(client)
    case .clientActs(let client): act(client)
    case .clientGoesOn(let client): clients[client]?.resume()
    case .clientIsClosed(let client): clientIsClosed(client)
    case .dialEnds(let connection): dialEnds(connection)
    case .requestIsHandedOver(let request, let connection, let attempt):
      handOver(request, to: connection, attempt: attempt)
    case .messageArrives(let connection, let message): arrive(message, on: connection)
    case .pongArrives(let connection, let id): pong(id, on: connection)
    case .connectionEnds(let connection, let failure): end(connection, failure)
    case .connectionFallsSilent(let connection): connections[connection]?.isSilent = true
    case .outageBegins(let upstream): beginOutage(of: upstream)
    case .timerComesEarly:
      callTimer("timer, early")
      tally.emptyTimerCalls -= 1
    case .terminationIsRequested: terminate()
    case .peaceBegins: phase = .peaceful
    case .requestsAreOver: checkRequestsAreOver()
    case .poolIsWarm: checkPoolIsWarm()
    case .quietEnds: endRun()
    }
  }

  private func terminate() {
    if !isTerminating { terminatedAt = now }
    isTerminating = true
    let instant = instant
    feed("termination requested") { $0.terminationRequested(at: instant) }
  }

  private func endRun() {
    checkPoolIsWarm()
    guard violation == nil else { return }
    terminate()
    if violation == nil, !isStopped { complain("nothing is open, yet the drain does not end") }
    phase = .over
  }
}

extension SimulatedClient {
  fileprivate mutating func resume() {
    isStalled = false
    unreadBytes = 0
  }
}

extension Duration {
  /// Whole nanoseconds; the simulated durations are far from the limits of 64 bits.
  var nanoseconds: Int64 {
    components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000
  }
}
