/// What the core knows of one upstream: its limits and the rules of its server.
package struct UpstreamSettings: Hashable, Sendable {
  /// How a server continues a response by `previous_response_id`.
  package enum Continuation: String, Hashable, Sendable {
    /// Only on the connection that made it (`store:false`).
    case connection
    /// On any connection: the server stores responses, those excepted that a request asked it not
    /// to store.
    case anywhere
  }

  package var name: String
  package var limits: UpstreamLimits
  package var continuation: Continuation
  /// Every request is sent with `store:false`, so that ``continuation`` is said of just that.
  package var forcesStoreFalse: Bool
  /// A new connection that nobody waits for is warmed up: its server is sent what all requests
  /// share.
  package var warmsUp: Bool

  package init(
    name: String, limits: UpstreamLimits = UpstreamLimits(),
    continuation: Continuation = .connection, forcesStoreFalse: Bool = false,
    warmsUp: Bool = false
  ) {
    self.name = name
    self.limits = limits
    self.continuation = continuation
    self.forcesStoreFalse = forcesStoreFalse
    self.warmsUp = warmsUp
  }
}

/// What a reload says of one upstream.
package struct UpstreamReload: Hashable, Sendable {
  package var settings: UpstreamSettings
  /// It is no longer configured: what was accepted for it is finished, and no more.
  package var isRemoved = false
  /// Its address, key or headers have changed: its connections are replaced.
  package var needsNewConnections = false

  package init(
    _ settings: UpstreamSettings, isRemoved: Bool = false, needsNewConnections: Bool = false
  ) {
    self.settings = settings
    self.isRemoved = isRemoved
    self.needsNewConnections = needsNewConnections
  }
}

/// A seeded sequence of jitter fractions (SplitMix64): the core's only source of variety, and the
/// same for the same seed.
struct Jitter: Sendable {
  private var state: UInt64

  init(seed: UInt64) {
    state = seed
  }

  /// A fraction in 0..<1.
  mutating func nextFraction() -> Double {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    mixed ^= mixed >> 31
    return Double(mixed >> 11) / Double(1 << 53)
  }
}
