#if HOTLINE_PLANTED_FAULTS
  /// Mistakes that a test build makes to order, to show that the simulator finds them.
  ///
  /// No release build defines `HOTLINE_PLANTED_FAULTS`.
  package enum PlantedFault: CaseIterable, Sendable {
    case oneClientTooMany
    case oneRequestTooManyOfAClient
    case oneWaitingRequestTooMany
    case oneByteTooManyUnread
    case oneConnectionTooMany
    case oneDialTooMany
    case keepsNothingWarm
    case starvesBatch
    case servesOneClientAgainAndAgain
    case reusesALaneBeforeTheTerminalEvent
    case rotatesInMidResponse
    case forgetsALastLine
    case saysTheLastLineTwice
    case stopsBeforeTheLastLines
    case resendsAfterAnEvent
    case resendsWithoutLeave
    case hidesTheHandOver
    case deliversBeforeTheHandOver
    case believesEveryEvent
    case ignoresTheOrderOfAConversation
    case continuesOnAnyConnection
    case missesPongs
    case dialsAtOnceAfterAFailure
    case forgetsAQueueTimeout
    case wakesForNothing
    // Lanes.
    case sendsASecondBeforeAnEcho
    case sendsWithoutALanesName
    case asksForLanesAgainAfterARefusal
    case deliversToAnotherLane
    case ignoresAnUnknownLane
    case usesASpentLane
    case closesWithOthersRunning
    // Drains and reloads.
    case acceptsWhileDraining
    case forgetsADrain
    case answersADrainTooEarly
    case closesBetweenTwoAnswers
    case sendsOnAConnectionOfBeforeTheReload
    case continuesOnARetiringConnection
    case keepsTheLimitsOfBeforeTheReload
    case keepsARemovedUpstreamWarm
    // Changes of the network.
    case forgetsToProbe
    case waitsLongForAProbe
    // What waits for the connection that suits it.
    case waitsBeyondPatience
    case forgetsWhatPrefersAConnection
    case namesAnotherReason
    // Mistakes that are easily made.
    case probesBeforeRetryAfter
    case keepsWhatIsTooMany
    case forgetsEarlierNotices
    case remembersOneResponse

    /// The one that is made in this task.
    @TaskLocal package static var current: PlantedFault?

    func changed(_ limits: Limits) -> Limits {
      var limits = limits
      switch self {
      case .oneClientTooMany: limits.clientsMax += 1
      case .oneRequestTooManyOfAClient: limits.requestsPerClientMax += 1
      case .oneWaitingRequestTooMany: limits.queueRequestsMax += 1
      case .oneByteTooManyUnread: limits.bufferBytesMax += 1
      case .starvesBatch: limits.interactiveWeight = .max
      default: break
      }
      return limits
    }

    func changed(_ settings: UpstreamSettings) -> UpstreamSettings {
      var settings = settings
      switch self {
      case .oneConnectionTooMany: settings.limits.connectionsMax += 1
      case .oneDialTooMany: settings.limits.dialsMax += 1
      case .keepsNothingWarm: settings.limits.connectionsWarm = 0
      default: break
      }
      return settings
    }
  }
#endif
