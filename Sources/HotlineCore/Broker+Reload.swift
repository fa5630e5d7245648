extension Broker {
  /// The configuration was read again: other limits and upstreams from now on; a drain ends.
  ///
  /// Connections that were made with an address, a key or headers that have changed finish what
  /// they have and take nothing new; failures of the past count no more.
  /// - Parameter reloads: all upstreams that were ever configured, by their index; new ones at the
  ///   end.
  package mutating func reloaded(
    limits: Limits, upstreams reloads: [UpstreamReload], at now: MonotonicInstant
  ) -> [Action] {
    precondition(reloads.count >= upstreams.count, "an upstream keeps its index for ever")
    guard phase != .stopped else { return [] }
    #if HOTLINE_PLANTED_FAULTS
      let isDeaf = PlantedFault.current == .keepsTheLimitsOfBeforeTheReload
      let limits = isDeaf ? self.limits : PlantedFault.current?.changed(limits) ?? limits
    #endif
    self.limits = limits
    var actions: [Action] = []
    for (index, reload) in reloads.enumerated() {
      #if HOTLINE_PLANTED_FAULTS
        var reload = reload
        reload.settings = PlantedFault.current?.changed(reload.settings) ?? reload.settings
      #endif
      guard index < upstreams.count else {
        upstreams.append(Upstream(index, reload.settings, limits, seed: seed))
        continue
      }
      actions += self.reload(index, reload, at: now)
    }
    if phase == .draining {
      phase = .running
      actions += answerDrains(
        with: HotlineError(
          .cancelled,
          "a reload ended the drain before the accepted requests were finished; drain again "
            + "if it is still wanted", isRetryable: true))
    }
    return conclude(actions, at: now)
  }

  private mutating func reload(
    _ index: Int, _ reload: UpstreamReload, at now: MonotonicInstant
  ) -> [Action] {
    let old = upstreams[index].pool.settings
    upstreams[index].pool.reload(reload)
    upstreams[index].rateLimits = RateLimits()
    upstreams[index].queue.interactiveWeight = limits.interactiveWeight
    upstreams[index].affinity.limit(to: limits.affinityEntriesMax)
    let isRenewed =
      reload.needsNewConnections || old.limits.lanes != reload.settings.limits.lanes
    // Nobody waits for what is being dialled, and nobody new will come.
    let isUnwanted = reload.isRemoved && upstreams[index].waitingCount == 0
    guard isRenewed || isUnwanted else { return [] }
    var actions: [Action] = []
    for number in upstreams[index].pool.connections.numbers {
      switch upstreams[index].pool.connections[number]?.state {
      case .dialing: actions += close(number, of: index, .reloaded, at: now)
      case .ready where isRenewed:
        #if HOTLINE_PLANTED_FAULTS
          if PlantedFault.current == .sendsOnAConnectionOfBeforeTheReload { continue }
        #endif
        actions += retire(number, of: index, .reloaded, at: now)
      case .ready, .retiring, .closing, nil: break
      }
    }
    return actions
  }
}
