/// What decides whether a request that any connection may serve could be sent on one.
protocol Assignable {
  /// It takes what is new.
  var isReady: Bool { get }
  var ages: UpstreamConnection.Ages { get }
  /// Something came from the server that shows that it means it.
  var isProven: Bool { get }
}

extension UpstreamConnection: Assignable {}

/// The connections of one upstream, in the order of dialling, which is that of their numbers.
///
/// Keeps of each what choices between them need in a brief without references, so that a look at
/// all of them costs little more than one at one.
struct ConnectionTable: Sendable {
  /// What choosing, opening and closing look at.
  struct Brief: Sendable, Assignable {
    enum Phase: Sendable { case dialing, ready, retiring, closing, gone }

    let number: ConnectionNumber
    private(set) var phase: Phase
    /// Nothing runs on it.
    private(set) var isIdle = false
    /// Nothing runs on it but a warm-up.
    private(set) var isWarming = false
    private(set) var isUnwanted = false
    private(set) var isProven = false
    private(set) var isPreferred = false
    /// Something waits for it, or for one of its lanes.
    private(set) var isAwaited = false
    /// Its best free lane, and how little it suits any request.
    private(set) var freeLane: (lane: Int, rank: Int64)?
    /// See ``UpstreamConnection/laneForOthers``.
    private(set) var laneForOthers: Int?
    private(set) var ages = UpstreamConnection.Ages.unknown
    /// When something about it alone is due, or earlier: what is heard only moves that away.
    private(set) var dueAt = MonotonicInstant(nanoseconds: .max)

    init(_ connection: UpstreamConnection) {
      number = connection.number
      switch connection.state {
      case .dialing: phase = .dialing
      case .ready: phase = .ready
      case .retiring: phase = .retiring
      case .closing: phase = .closing
      }
      guard connection.isOpen else { return }
      isIdle = connection.isIdle
      isWarming = !isIdle && connection.isWarming
      isUnwanted = connection.isUnwanted
      isProven = connection.isProven
      isPreferred = !connection.pinned.isEmpty
      isAwaited = isPreferred || connection.lanes.contains { !$0.bound.isEmpty }
      freeLane = connection.freeLane.map { lane in
        (lane, connection.lanes[lane].chainAt?.nanoseconds ?? .min)
      }
      laneForOthers = isAwaited ? connection.laneForOthers : nil
      ages = connection.ages
      dueAt = connection.dueAt
    }

    fileprivate mutating func vanish() { phase = .gone }

    var isOpen: Bool { phase == .ready || phase == .retiring }
    var isReady: Bool { phase == .ready }
    func isFresh(at now: MonotonicInstant) -> Bool { isReady && now < ages.rotateAt }

    /// It could take a request at once and will be here for a while.
    func isSpare(at now: MonotonicInstant) -> Bool {
      isFresh(at: now) && !isPreferred && freeLane != nil
    }

    /// It will be spare when its warm-up has ended.
    func willBeSpare(at now: MonotonicInstant) -> Bool {
      isWarming && isFresh(at: now) && !isPreferred && freeLane == nil
    }

    /// Another is to take over from it.
    func isAged(at now: MonotonicInstant) -> Bool {
      #if HOTLINE_PLANTED_FAULTS
        if PlantedFault.current == .replacesOnlyWhatIsIdle, !isIdle { return false }
      #endif
      return isReady && (now >= ages.agedAt || (isIdle && now >= ages.rotateAt))
    }
  }

  /// In the same order; what is gone leaves a gap until there are many.
  private var slots: [UpstreamConnection?] = []
  private(set) var briefs: [Brief] = []
  /// All that are not gone, closing ones too.
  private(set) var count = 0
  /// Those whose dial is under way.
  private(set) var dialingCount = 0
  /// Those that are open and take requests.
  private(set) var readyCount = 0
  /// Those that are open and only finish what they have.
  private(set) var retiringCount = 0
  /// Those on which nothing runs but a warm-up.
  private(set) var warmingCount = 0

  var openCount: Int { readyCount + retiringCount }
  /// Those that are neither gone nor closing.
  var livingCount: Int { dialingCount + openCount }

  /// Reading or changing one in its place; setting nil removes it. A new one has a larger number
  /// than all before.
  subscript(number: ConnectionNumber) -> UpstreamConnection? {
    get { place(of: number).flatMap { slots[$0] } }
    _modify {
      if let place = place(of: number) {
        count(briefs[place], by: -1)
        yield &slots[place]
        // Not bound to a name: that would be a copy.
        if slots[place] != nil {
          briefs[place] = Brief(slots[place]!)
          count(briefs[place], by: 1)
        } else {
          briefs[place].vanish()
          compact()
        }
      } else {
        var connection: UpstreamConnection?
        yield &connection
        if let connection { append(connection) }
      }
    }
  }

  /// Changes what no choice looks at: what the response on a lane is known of, or when the server
  /// was heard last.
  mutating func change<Result>(
    _ number: ConnectionNumber, _ body: (inout UpstreamConnection) -> Result
  ) -> Result? {
    guard let place = place(of: number) else { return nil }
    guard slots[place] != nil else { return nil }
    return body(&slots[place]!)
  }

  /// Brings up to date when something about a connection is due.
  mutating func refresh(_ number: ConnectionNumber) {
    guard let place = place(of: number), let connection = slots[place] else { return }
    count(briefs[place], by: -1)
    briefs[place] = Brief(connection)
    count(briefs[place], by: 1)
  }

  /// By bisection: the numbers ascend.
  private func place(of number: ConnectionNumber) -> Int? {
    var low = 0
    var high = briefs.count
    while low < high {
      let middle = (low + high) / 2
      if briefs[middle].number < number { low = middle + 1 } else { high = middle }
    }
    guard low < briefs.count, briefs[low].number == number, briefs[low].phase != .gone else {
      return nil
    }
    return low
  }

  private mutating func count(_ brief: Brief, by step: Int) {
    if brief.isWarming { warmingCount += step }
    switch brief.phase {
    case .dialing: dialingCount += step
    case .ready: readyCount += step
    case .retiring: retiringCount += step
    case .closing: break
    case .gone: return
    }
    count += step
  }

  private mutating func append(_ connection: UpstreamConnection) {
    precondition(briefs.last.map { $0.number < connection.number } ?? true, "numbers ascend")
    slots.append(connection)
    briefs.append(Brief(connection))
    count(briefs[briefs.count - 1], by: 1)
  }

  private mutating func compact() {
    guard briefs.count > 2 * count + 16 else { return }
    slots.removeAll { $0 == nil }
    briefs.removeAll { $0.phase == .gone }
  }
}

extension ConnectionTable {
  /// Their numbers, in the order of dialling.
  var numbers: [ConnectionNumber] { slots.compactMap { $0?.number } }

  /// In the order of dialling.
  var all: some Sequence<UpstreamConnection> { slots.lazy.compactMap { $0 } }
}
