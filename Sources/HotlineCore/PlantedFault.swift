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
    case continuesOnAnyLane
    case ignoresWhatIsNotStored
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
    // Steering and cancels.
    case forgetsThatASteerWasAccepted
    case forgetsAnUnansweredSteer
    case endsWhatIsRefusedASteer
    case waitsForASuccessorALittleTooLong
    case waitsForASuccessorALittleTooShort
    case trustsACancelThatCameTooLate
    case asksNotToCancel
    // Drains and reloads.
    case acceptsWhileDraining
    case forgetsADrain
    case answersADrainTooEarly
    case letsAnybodyCancel
    case closesBetweenTwoAnswers
    case sendsOnAConnectionOfBeforeTheReload
    case continuesOnARetiringConnection
    case keepsTheLimitsOfBeforeTheReload
    case keepsARemovedUpstreamWarm
    // Changes of the network.
    case forgetsToProbe
    case waitsLongForAProbe
    case forgetsAnEarlierProbe
    case neverPings
    // What waits for the connection that suits it.
    case waitsBeyondPatience
    case forgetsWhatPrefersAConnection
    case servesOneLaneAgainAndAgain
    case namesAnotherReason
    // Off by a little.
    case holdsTooMuchMemory
    case remembersOneTooMany
    case usesOneLaneTooMany
    case servesOneInteractiveTooMany
    case dropsOnceTooOften
    case opensTheCircuitEarly
    case opensTheCircuitLate
    case ignoresTheAgeMargin
    case readsAnUnwantedResponseTooLong
    case waitsALittleTooLong
    case runsALittleTooLong
    case noticesALittleTooLate
    case pingsALittleTooLate
    case pingsALittleTooSoon
    case waitsForAPongALittleTooLong
    case waitsForAPongALittleTooShort
    case livesTooLong
    case livesTooShort
    case idlesTooLong
    case idlesTooShort
    case shrinksALittleTooLate
    case shrinksALittleTooSoon
    case drainsALittleTooLong
    case drainsALittleTooShort
    case isALittleTooPatient
    case probesALittleTooLong
    case probesALittleTooShort
    case waitsALittleTooShort
    case runsALittleTooShort
    case noticesALittleTooSoon
    case readsAnUnwantedResponseTooShort
    // Refused for nothing.
    case oneClientTooFew
    case oneRequestTooFewOfAClient
    case oneWaitingRequestTooFew
    case losesConversationsForNothing
    case saysNotThatItWaits
    case miscountsThoseBefore
    // Choices.
    case takesAnyFreeLane
    case breaksTheLatestChain
    case closesBeforeAnotherTookOver
    case replacesOnlyWhatIsIdle
    // Giving up.
    case keepsWaitingForNothing
    case probesTooSoon
    case probesTooLate
    case neverSlowsItsProbes
    case countsFarApartFailures
    case repeatsOldWords
    case resendsAfterAFinalClose
    case blamesOneOfSeveral
    case failsWhatItMaySendAgain
    case sendsAgainUnheard
    case forgetsToSuspect
    case forgetsWhatCameBack
    case waitsForAsLongAsItsServerLikes
    case forgetsRetryAfter
    case forgetsANewerRetryAfter
    case backsOffThoughSomebodyWaits
    case backsOffTooLong
    // Dials that are due.
    case forgetsADialThatIsDue
    case neverGrows
    case keepsOneTooFewWarm
    case keepsOneTooManyWarm
    case dialsOneAtATime
    // Clients that read slowly.
    case losesPatienceAtOnce
    case neverLosesPatience
    case holdsAServerUpTooLong
    // Reloads that cross.
    case answersWithAnOlderReading
    // Mistakes that are easily made.
    case probesBeforeRetryAfter
    case keepsWhatIsTooMany
    case forgetsEarlierNotices
    case remembersOneResponse
    case pingsLateAfterAReload
    // Rate limits.
    case forgetsAHoldThatIsOver
    case sendsWhatWouldBeRefused
    case holdsALittleTooLong
    case holdsALittleTooShort
    case waitsForTheFirstReset
    case forgetsOtherLimits
    case hidesARateLimit
    case wakesForWhatItKeeps
    // Failover.
    case neverFailsOver
    case failsOverForNothing
    case failsOverToWhatIsDown
    case failsOverWhatWasSent
    case failsOverAContinuation
    case failsOverOutOfOrder
    case countsNotWhatWaitsElsewhere
    case failsWhoCouldGoElsewhere

    // Warm-ups.
    case neverWarmsUp
    case warmsUpThoughSomebodyWaits
    case warmsUpWhatIsHeld
    case givesAwayALaneThatWarmsUp
    case countsNoWarmUpAsSpare
    case deliversAWarmUp
    case warmsUpAgainAfterARefusal
    case countsWarmUpLossesForEver
    case warmsUpForNobodyForEver
    case waitsForAWarmUpTooLong
    case countsAWarmUpAsServed

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
      case .holdsTooMuchMemory: limits.memoryBytesMax += 100
      case .remembersOneTooMany: limits.affinityEntriesMax += 1
      case .servesOneInteractiveTooMany: limits.interactiveWeight += 1
      case .waitsALittleTooLong: limits.waitTimeout += .milliseconds(5)
      case .runsALittleTooLong: limits.requestTimeout += .milliseconds(5)
      case .noticesALittleTooLate: limits.queuedNoticeAfter += .milliseconds(5)
      case .waitsALittleTooShort: limits.waitTimeout -= .milliseconds(5)
      case .runsALittleTooShort: limits.requestTimeout -= .milliseconds(5)
      case .noticesALittleTooSoon: limits.queuedNoticeAfter -= .milliseconds(5)
      case .drainsALittleTooLong: limits.shutdownTimeout += .milliseconds(5)
      case .drainsALittleTooShort: limits.shutdownTimeout -= .milliseconds(5)
      case .oneClientTooFew: limits.clientsMax -= 1
      case .oneRequestTooFewOfAClient: limits.requestsPerClientMax -= 1
      case .oneWaitingRequestTooFew: limits.queueRequestsMax -= 1
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
      case .keepsOneTooFewWarm:
        settings.limits.connectionsWarm = max(0, settings.limits.connectionsWarm - 1)
      case .keepsOneTooManyWarm: settings.limits.connectionsWarm += 1
      case .usesOneLaneTooMany:
        settings.limits.lanes = min(LaneName.countMax, settings.limits.lanes + 1)
      case .opensTheCircuitEarly: settings.limits.circuitAfter -= .seconds(1)
      case .opensTheCircuitLate: settings.limits.circuitAfter += .seconds(2)
      case .ignoresTheAgeMargin: settings.limits.ageMargin = .zero
      case .readsAnUnwantedResponseTooLong: settings.limits.abandonedTimeout += .seconds(1)
      default: changeTimes(&settings.limits)
      }
      return settings
    }

    private func changeTimes(_ limits: inout UpstreamLimits) {
      let little = Duration.milliseconds(5)
      switch self {
      case .pingsALittleTooLate: limits.pingInterval += little
      case .pingsALittleTooSoon: limits.pingInterval -= little
      case .waitsForAPongALittleTooLong: limits.pongTimeout += little
      case .waitsForAPongALittleTooShort: limits.pongTimeout -= little
      // Off by more than what connections differ by.
      case .livesTooLong: limits.ageLimit = limits.ageLimit * 105 / 100
      case .livesTooShort: limits.ageLimit = limits.ageLimit * 95 / 100
      case .idlesTooLong: limits.idleLimit = limits.idleLimit * 105 / 100
      case .idlesTooShort: limits.idleLimit = limits.idleLimit * 95 / 100
      case .shrinksALittleTooLate: limits.shrinkAfter += little
      case .shrinksALittleTooSoon: limits.shrinkAfter -= little
      case .isALittleTooPatient: limits.patience += little
      case .probesALittleTooLong: limits.probeTimeout += little
      case .probesALittleTooShort: limits.probeTimeout -= little
      case .readsAnUnwantedResponseTooShort: limits.abandonedTimeout -= little
      case .waitsForASuccessorALittleTooLong: limits.steerTimeout += little
      case .waitsForASuccessorALittleTooShort: limits.steerTimeout -= little
      default: break
      }
    }

    /// How little a free lane suits any request.
    static func rank(_ rank: (Int, Int64)) -> (Int, Int64) {
      switch current {
      case .takesAnyFreeLane: (rank.0, 0)
      case .breaksTheLatestChain: (rank.0, rank.1 == .min ? .min : -rank.1)
      default: rank
      }
    }
  }
#endif
