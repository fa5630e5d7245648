import HotlineSimulation

/// What the command line asks for; `contrib/simulate` describes it.
struct Arguments {
  enum Work {
    /// Many seeds.
    case seeds
    /// One run, in words.
    case words(UInt64)
    /// Every planted fault.
    case faults
  }

  struct Complaint: Error {
    var text: String
  }

  var work = Work.seeds
  var order = Farm.Order()
  var isSeedsCountGiven = false
  var fault: String?

  init(_ words: [String]) throws(Complaint) {
    var words = words[...]
    while let option = words.popFirst() {
      switch option {
      case "--faults": work = .faults
      case "--fault": fault = try Self.value(of: option, &words)
      case "--seed": work = .words(UInt64(try Self.number(of: option, least: 0, &words)))
      case "--seeds":
        order.seedsCount = try Self.number(of: option, &words)
        isSeedsCountGiven = true
      case "--first": order.first = UInt64(try Self.number(of: option, least: 0, &words))
      case "--seconds": order.secondsMax = Double(try Self.number(of: option, &words))
      case "--jobs": order.workersCount = try Self.number(of: option, most: 256, &words)
      case "--failures": order.failuresMax = try Self.number(of: option, &words)
      default: throw Complaint(text: "unknown argument \(option)")
      }
    }
  }

  private static func value(
    of option: String, _ words: inout ArraySlice<String>
  ) throws(Complaint) -> String {
    guard let value = words.popFirst() else { throw Complaint(text: "\(option) lacks its value") }
    return value
  }

  private static func number(
    of option: String, least: Int = 1, most: Int = .max / 2, _ words: inout ArraySlice<String>
  ) throws(Complaint) -> Int {
    let value = try value(of: option, &words)
    guard let number = Int(value), number >= least, number <= most else {
      throw Complaint(text: "\(option) \(value): not a whole number of \(least) or more")
    }
    return number
  }
}
