/// What the core looks like at one instant, for `hotline.status` and the service manager.
package struct Snapshot: Hashable, Sendable {
  package struct Connection: Hashable, Sendable {
    package enum State: String, Hashable, Sendable, CaseIterable {
      case dialing, ready, busy, retiring, closing
    }

    package var number: ConnectionNumber
    package var state: State
    /// Since it opened; since the dial began where it has not.
    package var age: Duration
    /// Since the end of its last response; nil while one runs.
    package var idle: Duration?
    package var roundTrip: Duration?
    package var responsesServed: Int
    package var lanes: Int
    package var lanesBusy: Int
  }

  package struct Upstream: Hashable, Sendable {
    package enum State: String, Hashable, Sendable {
      /// At least one connection is open.
      case ok
      /// None is open, the first is on its way.
      case connecting
      /// None is open; the next dial waits.
      case backoff
      /// Requests fail at once until a probe succeeds.
      case failing
    }

    /// Whether its server says of events which lane they are of.
    package enum LaneNames: String, Hashable, Sendable, CaseIterable {
      /// It is not asked to: its connections carry one response at a time.
      case off
      /// It has been asked nothing yet.
      case unknown
      case echoed
      /// It does not: its connections carry one response at a time, until a reload.
      case absent
    }

    package var index: UpstreamIndex
    package var state: State
    package var lastFailure: ConnectionFailure?
    package var waiting: Int
    /// What its server said of them last.
    package var rateLimits: [RateLimit]
    package var warmUps: WarmUps.Snapshot
    package var laneNames: LaneNames
    package var connections: [Connection]

    /// Connections of a state.
    package func count(_ state: Connection.State) -> Int {
      connections.count { $0.state == state }
    }

    /// Of its connections' latest pings; nil before the first pong.
    package var longestRoundTrip: Duration? { connections.compactMap(\.roundTrip).max() }
  }

  package var isDraining: Bool
  package var upstreams: [Upstream]
  package var openRequests: [ClientNumber: Int]
}

extension Broker {
  package func snapshot(at now: MonotonicInstant) -> Snapshot {
    Snapshot(
      isDraining: isDraining,
      upstreams: upstreams.map { upstream in
        Snapshot.Upstream(
          index: upstream.pool.index, state: upstream.pool.shownState,
          lastFailure: upstream.pool.lastFailure, waiting: upstream.waitingCount,
          rateLimits: upstream.rateLimits.known(at: now),
          warmUps: upstream.pool.warmUps.snapshot(isWanted: upstream.pool.settings.warmsUp),
          laneNames: upstream.pool.laneNames,
          connections: upstream.pool.connections.all.map { $0.snapshot(at: now) })
      },
      openRequests: clients.mapValues(\.open.count))
  }
}

extension UpstreamPool {
  fileprivate var shownState: Snapshot.Upstream.State {
    if hasOpenConnection { return .ok }
    if circuit.error != nil { return .failing }
    return backoff.failures > 0 ? .backoff : .connecting
  }
}

extension UpstreamPool {
  fileprivate var laneNames: Snapshot.Upstream.LaneNames {
    guard limits.lanes > 1 else { return .off }
    return switch laneEcho {
    case .unknown: .unknown
    case .present: .echoed
    case .absent: .absent
    }
  }
}

extension UpstreamConnection {
  fileprivate func snapshot(at now: MonotonicInstant) -> Snapshot.Connection {
    let shown: Snapshot.Connection.State =
      switch state {
      case .dialing: .dialing
      case .ready: isIdle ? .ready : .busy
      case .retiring: .retiring
      case .closing: .closing
      }
    return Snapshot.Connection(
      number: number, state: shown, age: (openedAt ?? dialedAt).duration(to: now),
      idle: isIdle && isOpen ? lastActiveAt.duration(to: now) : nil,
      roundTrip: keepalive?.roundTrip, responsesServed: responsesServed, lanes: lanesUsable,
      lanesBusy: lanes.count { !$0.isQuiet })
  }
}
