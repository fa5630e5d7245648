import HotlineCore

/// What is needed is dialled for as soon as may be.
extension Simulation {
  /// After a call of the timer: as many dials are under way as are surely wanted and allowed.
  func checkDialsAreMade() {
    guard !isTerminating else { return }
    for index in scenario.upstreams.indices {
      let missing = dialsMissing(index)
      guard missing > 0 else { continue }
      return complain("\(missing) dials to upstream \(index) are not made, though wanted")
    }
  }

  private func dialsMissing(_ index: Int) -> Int {
    let limits = scenario.upstreams[index].limits
    let dial = dials[index]
    guard dial.mayBeOpenSince == nil, now >= dial.notBefore else { return 0 }
    let own = present.compactMap { connections[$0] }
      .filter { $0.upstream.rawValue == index && $0.isLiving }
    let dialing = own.count(where: \.isDialing)
    // What could take a request, of whatever age; what may be retiring may as well be in use.
    let spare = own.count { $0.isOpenToCore && $0.hasFreeLane }
    let waiting = isHeld(index) ? 0 : waitingForAny(index)
    // What waits where something is free waits for it to be trusted.
    let demand = spare > 0 ? 0 : (waiting + limits.lanes - 1) / limits.lanes
    let warm = scenario.isRemoved[index] ? 0 : limits.connectionsWarm
    // What warms up will be spare soon.
    let warming = own.count { $0.isOpenToCore && $0.isWarming && !$0.hasFreeLane }
    let wanted = min(
      max(0, warm - warming) + demand - spare - dialing, limits.connectionsMax - own.count)
    if let troubledAt = dial.troubledAt {
      // After a failure one at a time, and not at once.
      let wait: Int64 = waiting > 0 ? .milliseconds(500) : .seconds(8)
      guard now >= troubledAt + wait + scenario.timerLateMax else { return 0 }
      return dialing == 0 ? min(1, wanted) : 0
    }
    return min(wanted, limits.dialsMax - dialing)
  }

  /// Requests that any connection may serve, and that wait for nothing else.
  private func waitingForAny(_ index: Int) -> Int {
    open.count { number in
      guard let request = requests[number], request.spec.upstream.rawValue == index else {
        return false
      }
      // What came from another upstream may wait for a connection that suits it.
      return request.isPlain && isImpatient(request)
        || returned.contains(number) && (!hasMoved(request) || isImpatient(request))
    }
  }
}
