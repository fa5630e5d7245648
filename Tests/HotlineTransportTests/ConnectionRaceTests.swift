import HotlineCore
import Testing

@testable import HotlineTransport

struct ConnectionRaceTests {
  private typealias Race = ConnectionRace
  private let none = NameLookup.Failure("No address associated with hostname", isDefinite: true)
  private let away = NameLookup.Failure("Temporary failure", isDefinite: false)

  private func ms(_ milliseconds: Int64) -> MonotonicInstant {
    MonotonicInstant(nanoseconds: milliseconds * 1_000_000)
  }

  @Test func ipv6IsTriedAsSoonAsItIsKnown() {
    var race = Race(port: 443)
    #expect(race.found(["6a"], .ipv6, at: ms(0)) == [.connect(attempt: 0, address: "6a")])
    #expect(race.nextDeadline == nil)
    #expect(race.found(["4a"], .ipv4, at: ms(10)) == [])
    #expect(race.nextDeadline == ms(250))
  }

  @Test func ipv4WaitsForIPv6ButNotLong() {
    var race = Race(port: 443)
    #expect(race.found(["4a"], .ipv4, at: ms(0)) == [])
    #expect(race.nextDeadline == ms(50))
    #expect(race.deadlineReached(at: ms(49)) == [])
    #expect(race.deadlineReached(at: ms(50)) == [.connect(attempt: 0, address: "4a")])
    #expect(race.found(["6a"], .ipv6, at: ms(60)) == [])
    #expect(race.nextDeadline == ms(300))
    #expect(race.deadlineReached(at: ms(300)) == [.connect(attempt: 1, address: "6a")])
  }

  @Test func ipv6ThatComesInTimeIsFirst() {
    var race = Race(port: 443)
    #expect(race.found(["4a"], .ipv4, at: ms(0)) == [])
    #expect(race.found(["6a"], .ipv6, at: ms(20)) == [.connect(attempt: 0, address: "6a")])
  }

  @Test func aNameWithoutIPv6DoesNotHoldUpIPv4() {
    var race = Race(port: 443)
    #expect(race.found(["4a"], .ipv4, at: ms(0)) == [])
    #expect(race.lookupFailed(.ipv6, none, at: ms(5)) == [.connect(attempt: 0, address: "4a")])
  }

  @Test func familiesTakeTurnsAQuarterOfASecondApart() {
    var race = Race(port: 443)
    _ = race.found(["6a", "6b", "6c"], .ipv6, at: ms(0))
    _ = race.found(["4a"], .ipv4, at: ms(0))
    var order: [String] = []
    while let deadline = race.nextDeadline {
      for case .connect(_, let address) in race.deadlineReached(at: deadline) {
        order.append(address)
      }
    }
    #expect(order == ["4a", "6b", "6c"])
  }

  @Test func aFailureBringsTheNextAttemptAtOnce() {
    var race = Race(port: 443)
    _ = race.found(["6a"], .ipv6, at: ms(0))
    _ = race.found(["4a", "4b"], .ipv4, at: ms(0))
    #expect(race.attemptFailed(0, "refused", at: ms(7)) == [.connect(attempt: 1, address: "4a")])
    #expect(race.nextDeadline == ms(257))
    #expect(race.deadlineReached(at: ms(257)) == [.connect(attempt: 2, address: "4b")])
    #expect(race.attemptFailed(2, "no route", at: ms(260)) == [])
    #expect(
      race.report
        == "6a port 443: refused; 4a port 443: no answer; 4b port 443: no route")
    #expect(race.attemptFailed(1, "refused", at: ms(300)) == [.giveUp])
    #expect(race.deadlineReached(at: ms(9000)) == [])
  }

  @Test func aLateFamilyIsWaitedForAfterTheOtherFailed() {
    var race = Race(port: 443)
    _ = race.found(["6a"], .ipv6, at: ms(0))
    #expect(race.attemptFailed(0, "refused", at: ms(1)) == [])
    #expect(race.report == "6a port 443: refused; no answer from the name server")
    #expect(race.found(["4a"], .ipv4, at: ms(900)) == [.connect(attempt: 1, address: "4a")])
  }

  @Test func aNameWithoutAddressesIsGivenUp() {
    var race = Race(port: 443)
    #expect(race.lookupFailed(.ipv6, none, at: ms(0)) == [])
    #expect(race.lookupFailed(.ipv4, none, at: ms(0)) == [.giveUp])
    #expect(race.report == "no address: No address associated with hostname")
    var empty = Race(port: 443)
    #expect(empty.found([], .ipv4, at: ms(0)) == [])
    #expect(empty.found([], .ipv6, at: ms(0)) == [.giveUp])
    #expect(empty.report == "no address")
  }

  @Test func aLookupThatFailedIsToldOnlyWhereItMayMatter() {
    for (failure, isTold) in [(none, false), (away, true)] {
      var race = Race(port: 1)
      _ = race.lookupFailed(.ipv6, failure, at: ms(0))
      _ = race.found(["4a"], .ipv4, at: ms(0))
      #expect(race.attemptFailed(0, "refused", at: ms(0)) == [.giveUp])
      #expect(race.report.contains("no address: \(failure.description)") == isTold)
    }
  }

  @Test func anAddressNeedsNoLookup() {
    var race = Race(port: 1)
    #expect(race.found(["::1"], .any, at: ms(0)) == [.connect(attempt: 0, address: "::1")])
    #expect(race.attemptFailed(0, "refused", at: ms(0)) == [.giveUp])
    #expect(race.report == "::1 port 1: refused")
  }

  @Test func soManyAddressesAreTriedAndNoMore() {
    var race = Race(port: 1)
    let many = (0...Race.addressesMax).map { "4-\($0)" }
    _ = race.lookupFailed(.ipv6, none, at: ms(0))
    var actions = race.found(many, .ipv4, at: ms(0))
    var attempts = 0
    while case .connect(let attempt, _)? = actions.first {
      attempts += 1
      actions = race.attemptFailed(attempt, "refused", at: ms(0))
    }
    #expect(attempts == Race.addressesMax)
    #expect(actions == [.giveUp])
  }

  @Test func thisMachinesNameHasAddresses() throws {
    let addresses = try NameLookup.addresses(of: "localhost", .ipv4).get()
    #expect(addresses.contains("127.0.0.1"))
    #expect(NameLookup.addressBytes("127.0.0.1") == [127, 0, 0, 1])
    #expect(NameLookup.addressBytes("::ffff:127.0.0.1") == [127, 0, 0, 1])
    #expect(NameLookup.addressBytes("::1")?.count == 16)
    #expect(NameLookup.addressBytes("127.1") == nil)
    #expect(NameLookup.addressBytes("localhost") == nil)
  }
}
