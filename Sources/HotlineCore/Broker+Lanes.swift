/// Which lane an event is of, on servers that name lanes and on those that do not.
extension Broker {
  /// The first event of a connection's first response shows whether its server knows lanes.
  ///
  /// - Returns: what is to be said of it.
  mutating func learnLanes(
    from event: EventFacts, on number: ConnectionNumber, of index: Int
  ) -> [Action] {
    guard let connection = upstreams[index].pool.connections[number], connection.lanes.count > 1,
      connection.laneEcho == .unknown, connection.lanes[0].occupant?.isHandedOver == true
    else { return [] }
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .asksForLanesAgainAfterARefusal, !event.isResponseEvent {
        return []
      }
    #endif
    // A server that does not know the name is not asked for lanes again, whatever becomes of the
    // request.
    if connection.isRefusedLane(event) { return learned(.absent, of: index) }
    guard event.isResponseEvent else { return [] }
    let echo: UpstreamConnection.LaneEcho
    switch event.lane {
    case .none: echo = .absent
    case .lane(0): echo = .present
    case .lane, .unknown: return []
    }
    upstreams[index].pool.connections[number]?.laneEcho = echo
    return learned(echo, of: index)
  }

  private mutating func learned(
    _ echo: UpstreamConnection.LaneEcho, of index: Int
  ) -> [Action] {
    let before = upstreams[index].pool.laneEcho
    upstreams[index].pool.laneEcho = echo
    return echo == .absent && before != .absent ? [.giveUpLanes(UpstreamIndex(index))] : []
  }
}

extension UpstreamConnection {
  enum Addressee {
    /// What runs on this lane, or nothing that does.
    case lane(Int)
    /// All of it.
    case connection
    /// Something that cannot be.
    case nobody
  }

  /// Whom an event is for, going by its lane.
  func addressee(of event: EventFacts) -> Addressee {
    guard namesLanes else { return .lane(0) }
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .deliversToAnotherLane, event.lane != .none,
        let busy = lanes.firstIndex(where: { $0.running?.hasResponse == true })
      {
        return .lane(busy)
      }
    #endif
    switch event.lane {
    case .lane(let lane) where lane < lanes.count: return .lane(lane)
    case .lane, .unknown:
      #if HOTLINE_PLANTED_FAULTS
        if PlantedFault.current == .ignoresAnUnknownLane { return .connection }
      #endif
      return .nobody
    case .none: break
    }
    guard laneEcho == .present else { return .lane(0) }
    if event.controlAnswer != nil {
      // Its server names the lane only where it still knows the response.
      let named = event.responseID.flatMap { id in lanes.firstIndex { $0.isAbout(id) } }
      return named.map { .lane($0) } ?? .connection
    }
    guard !event.isResponseEvent else { return .nobody }
    if event.isForTheConnectionsSake { return .connection }
    let busy = lanes.indices.filter { !lanes[$0].isQuiet }
    if busy.count == 1 { return .lane(busy[0]) }
    switch event.kind {
    case .progress, .text, .notice: return .connection
    case .terminal, .error, .unusable: return busy.isEmpty ? .lane(0) : .nobody
    }
  }

  /// The server does not know the lane's name: it was the first that it was told.
  func isRefusedLane(_ event: EventFacts) -> Bool {
    namesLanes && laneEcho == .unknown && event.isAboutTheLane
  }
}
