/// The chance of a run: all of it follows from the seed, so that a failure's seed repeats it.
///
/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
struct Chance: Sendable {
  private var state: UInt64

  init(seed: UInt64) {
    state = seed
  }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  /// A number from 0 to `bound` - 1; the bias of the remainder does not matter here.
  mutating func below(_ bound: Int) -> Int {
    Int(truncatingIfNeeded: next() >> 1) % bound
  }

  /// True once in `n` times.
  mutating func oneIn(_ n: Int) -> Bool { below(n) == 0 }

  /// True in so many of a thousand cases.
  mutating func chance(_ permille: Int) -> Bool { below(1000) < permille }

  mutating func pick<Element>(_ elements: [Element]) -> Element {
    elements[below(elements.count)]
  }

  /// A time of any order of magnitude between the two.
  mutating func time(_ least: Int64, _ most: Int64) -> Int64 {
    guard least < most else { return least }
    var top = most
    while top > max(2 * least, 1000), oneIn(2) { top /= 4 }
    return least + Int64(below(Int(max(1, top - least))))
  }
}
