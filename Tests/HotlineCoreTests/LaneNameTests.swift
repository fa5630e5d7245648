import Testing

@testable import HotlineCore

@Suite struct LaneNameTests {
  @Test func lanesAreNamedFromOneToSixteen() {
    #expect(LaneName.countMax == 16)
    #expect(LaneName.name(of: 0) == "lane-1")
    #expect(LaneName.name(of: 8) == "lane-9")
    #expect(LaneName.name(of: 9) == "lane-10")
    #expect(LaneName.name(of: 15) == "lane-16")
  }

  @Test(arguments: 0..<LaneName.countMax)
  func everyNameLeadsBackToItsLane(lane: Int) {
    #expect(LaneName.reference(to: LaneName.name(of: lane).bytes) == .lane(lane))
  }

  @Test func namesAreDistinctAndOfTheCharactersThatServersTake() {
    let names = (0..<LaneName.countMax).map { LaneName.name(of: $0) }
    #expect(Set(names).count == LaneName.countMax)
    let taken = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-".utf8)
    for name in names {
      #expect((1...256).contains(name.bytes.count))
      #expect(taken.isSuperset(of: name.bytes))
    }
  }

  @Test(arguments: [
    "", "l", "lane", "lane-", "lane-0", "lane-00", "lane-01", "lane-001", "lane-17", "lane-20",
    "lane-99", "lane-100", "lane--1", "lane-+1", "lane-1 ", " lane-1", "lane-1x", "lane-x",
    "lane-1-",
    "Lane-1", "LANE-1", "lane_1", "lane1", "1", "lane-１", "lane-1\u{0}", "lane-\u{2F}", "lane-:",
  ])
  func everyOtherNameIsUnknown(name: String) {
    #expect(LaneName.reference(to: name.utf8) == .unknown)
  }

  @Test func bytesThatAreNoTextAreUnknown() {
    #expect(LaneName.reference(to: [0xFF, 0xFE]) == .unknown)
    #expect(LaneName.reference(to: Array("lane-".utf8) + [0xB1]) == .unknown)
  }

  @Test func aNameIsReadOutOfALongerLineToo() {
    let line = Array("\"lane-7\"".utf8)
    #expect(LaneName.reference(to: line[1..<7]) == .lane(6))
  }
}
