/// The arguments of a command as they mostly are, understood without the argument parser.
///
/// That takes longer to begin than all else of a short command: it asks the runtime for conformance
/// after conformance, each a search of the whole program. Whatever is not plain is left to it,
/// errors and help among them, so nothing here has words for the user.
struct QuickArguments: Hashable {
  /// What stands by itself, in its order.
  private(set) var words: [String] = []
  private var values: [String: [String]] = [:]
  private var flags: Set<String> = []

  /// Nil for what the parser has to look at.
  ///
  /// - Parameters:
  ///   - options: those that have a value.
  ///   - flags: those that have none.
  init?(_ arguments: some Collection<String>, options: Set<String>, flags: Set<String>) {
    var rest = arguments.makeIterator()
    while let argument = rest.next() {
      if flags.contains(argument) {
        self.flags.insert(argument)
      } else if options.contains(argument) {
        guard let value = rest.next(), Self.isWord(value) else { return nil }
        values[argument, default: []].append(value)
      } else if argument == "--" {
        while let word = rest.next() { words.append(word) }
      } else {
        guard Self.isWord(argument) else { return nil }
        words.append(argument)
      }
    }
  }

  /// A lone dash is one.
  private static func isWord(_ argument: String) -> Bool {
    !argument.hasPrefix("-") || argument == "-"
  }

  func has(_ flag: String) -> Bool { flags.contains(flag) }
  /// The last one counts.
  func value(_ option: String) -> String? { values[option]?.last }
  func values(_ option: String) -> [String] { values[option] ?? [] }
}
