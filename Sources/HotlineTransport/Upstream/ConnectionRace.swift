import HotlineCore

/// Decides which address of a server is tried when: Happy Eyeballs (RFC 8305).
///
/// IPv6 and IPv4 are looked up and tried in turn, each attempt a little after the one before it,
/// until one connects. Pure value; the driver performs what it answers and arms a timer for
/// ``nextDeadline``.
struct ConnectionRace {
  enum Action: Hashable {
    case connect(attempt: Int, address: String)
    /// Nothing is left to try.
    case giveUp
  }

  private enum Lookup {
    /// Next: `.found`, `.failed`.
    case pending
    case found
    case failed(NameLookup.Failure)
  }

  private enum Attempt {
    /// Next: `.failed`; or the race is over.
    case pending
    case failed(String)
  }

  /// RFC 8305, 8: how long IPv4's addresses wait for IPv6's.
  static let resolutionDelay: Duration = .milliseconds(50)
  /// RFC 8305, 8: from the beginning of one attempt to that of the next.
  static let attemptDelay: Duration = .milliseconds(250)
  /// Addresses of each family that are tried.
  static let addressesMax = 32

  private let port: Int
  private var ipv6 = Lookup.pending
  private var ipv4 = Lookup.pending
  /// Addresses that have not been tried yet.
  private var ipv6Left: ArraySlice<String> = []
  private var ipv4Left: ArraySlice<String> = []
  private var attempts: [(address: String, outcome: Attempt)] = []
  private var wasLastIPv6 = false
  /// No attempt before this; `nil` while nothing holds one up.
  private var notBefore: MonotonicInstant?
  private var isOver = false

  init(port: Int) {
    self.port = port
  }

  /// The earliest instant for the next attempt; `nil` where something else has to happen first.
  var nextDeadline: MonotonicInstant? {
    guard !isOver, !ipv6Left.isEmpty || !ipv4Left.isEmpty else { return nil }
    return notBefore
  }

  // MARK: Inputs

  /// - Parameter family: `.any` where no lookup was needed, because the host is an address.
  mutating func found(
    _ addresses: [String], _ family: NameLookup.Family, at now: MonotonicInstant
  ) -> [Action] {
    let taken = addresses.prefix(Self.addressesMax)
    switch family {
    case .ipv6:
      ipv6 = .found
      ipv6Left = taken
      // What IPv4 waited for is here.
      if attempts.isEmpty { notBefore = nil }
    case .ipv4:
      ipv4 = .found
      ipv4Left = taken
      if attempts.isEmpty, case .pending = ipv6 {
        notBefore = now.advanced(by: Self.resolutionDelay)
      }
    case .any:
      (ipv6, ipv4) = (.found, .found)
      ipv4Left = taken
    }
    return advance(at: now)
  }

  mutating func lookupFailed(
    _ family: NameLookup.Family, _ failure: NameLookup.Failure, at now: MonotonicInstant
  ) -> [Action] {
    switch family {
    case .ipv6:
      ipv6 = .failed(failure)
      if attempts.isEmpty { notBefore = nil }
    case .ipv4: ipv4 = .failed(failure)
    case .any: (ipv6, ipv4) = (.failed(failure), .failed(failure))
    }
    return advance(at: now)
  }

  mutating func attemptFailed(
    _ attempt: Int, _ reason: String, at now: MonotonicInstant
  ) -> [Action] {
    attempts[attempt].outcome = .failed(reason)
    notBefore = nil
    return advance(at: now)
  }

  mutating func deadlineReached(at now: MonotonicInstant) -> [Action] {
    advance(at: now)
  }

  private mutating func advance(at now: MonotonicInstant) -> [Action] {
    guard !isOver else { return [] }
    if notBefore ?? now <= now, let address = nextAddress() {
      attempts.append((address, .pending))
      notBefore = now.advanced(by: Self.attemptDelay)
      return [.connect(attempt: attempts.count - 1, address: address)]
    }
    guard isHopeless else { return [] }
    isOver = true
    return [.giveUp]
  }

  /// The families take turns, IPv6 first (RFC 8305, 4).
  private mutating func nextAddress() -> String? {
    let isIPv6Next = wasLastIPv6 ? ipv4Left.isEmpty : !ipv6Left.isEmpty
    wasLastIPv6 = isIPv6Next && !ipv6Left.isEmpty
    return isIPv6Next ? ipv6Left.popFirst() : ipv4Left.popFirst()
  }

  private var isHopeless: Bool {
    if case .pending = ipv6 { return false }
    if case .pending = ipv4 { return false }
    let isPending = attempts.contains {
      if case .pending = $0.outcome { return true }
      return false
    }
    return !isPending && ipv6Left.isEmpty && ipv4Left.isEmpty
  }

  // MARK: Report

  /// Every attempt with what became of it: "refused" on IPv6 and silence on IPv4 are two problems.
  var report: String {
    var parts = attempts.map { attempt in
      switch attempt.outcome {
      case .pending: "\(attempt.address) port \(port): no answer"
      case .failed(let reason): "\(attempt.address) port \(port): \(reason)"
      }
    }
    let left = ipv6Left.count + ipv4Left.count
    if left > 0 { parts.append("\(left) more not tried yet") }
    var lookups: [String] = []
    for lookup in [ipv6, ipv4] {
      switch lookup {
      case .pending: lookups.append("no answer from the name server")
      case .failed(let failure) where attempts.isEmpty || !failure.isDefinite:
        lookups.append("no address: \(failure.description)")
      case .found, .failed: break
      }
    }
    if lookups.count == 2, lookups[0] == lookups[1] { lookups.removeLast() }
    parts += lookups
    return parts.isEmpty ? "no address" : parts.joined(separator: "; ")
  }
}
