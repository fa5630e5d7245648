import Fuzzing
import TestSupport
import Testing

@Suite struct FuzzTargetTests {
  @Test(arguments: FuzzTarget.allCases)
  func everySeedKeepsTheProperties(target: FuzzTarget) {
    #expect(target.seeds.count >= 15)
    for seed in target.seeds {
      #expect(throws: Never.self, "\(target) \(seed)") { try target.check(seed) }
    }
  }

  @Test(arguments: FuzzTarget.allCases)
  func everySeedIsShortEnoughAndThereOnce(target: FuzzTarget) {
    #expect(target.seeds.allSatisfy { $0.count <= target.inputBytesMax })
    #expect(Set(target.seeds).count == target.seeds.count)
  }

  /// What libFuzzer does, in small and without being told what is worth it.
  @Test(arguments: FuzzTarget.allCases)
  func mutatedSeedsKeepTheProperties(target: FuzzTarget) {
    var random = SplitMix64(seed: 1)
    let seeds = target.seeds
    for _ in 0..<1500 {
      var input = random.pick(seeds)
      for _ in 0...random.below(4) { mutate(&input, random.pick(seeds), &random) }
      input = Array(input.prefix(target.inputBytesMax))
      do {
        try target.check(input)
      } catch {
        Issue.record("\(target) \(input): \(error)")
        return
      }
    }
  }

  private func mutate(_ input: inout [UInt8], _ other: [UInt8], _ random: inout SplitMix64) {
    let at = random.below(input.count + 1)
    switch random.below(5) {
    case 0: input.insert(UInt8(random.below(256)), at: at)
    case 1: input.removeSubrange(at..<min(input.count, at + 1 + random.below(3)))
    case 2: if at < input.count { input[at] ^= 1 << UInt8(random.below(8)) }
    case 3: input.insert(contentsOf: other.prefix(random.below(40)), at: at)
    default: input.removeSubrange(at...)
    }
  }

  @Test func theGrammarJudgesTheCorpusAsItSaysItself() {
    for group in JSONCorpus.groups {
      for document in group.documents {
        #expect(
          ReferenceJSON.accepts(document) == (group.refusal == nil), "\(group.why): \(document)")
      }
    }
  }
}
