/// Why a command ends with a status other than 0, and what it says on standard error.
struct CommandFailure: Error, Hashable {
  var status: ExitStatus
  /// One sentence: what happened, to what, and what to do; nil to end without a word.
  var sentence: String?

  init(_ status: ExitStatus, _ sentence: String?) {
    self.status = status
    self.sentence = sentence
  }

  func report() {
    guard let sentence else { return }
    StandardDescriptors.writeError("hotline: \(PrintableText.line(sentence))\n")
  }
}
