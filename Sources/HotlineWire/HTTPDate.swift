/// Reads an `IMF-fixdate`, the only form of date that HTTP senders may write (RFC 9110, 5.6.7):
/// `Sun, 06 Nov 1994 08:49:37 GMT`.
///
/// Gives seconds since 1970, or `nil` for anything else. The name of the day is not checked.
package func secondsOfHTTPDate(_ text: [UInt8]) -> Int? {
  let separators: [(Int, UInt8)] = [
    (3, 0x2C), (4, 0x20), (7, 0x20), (11, 0x20), (16, 0x20), (19, 0x3A), (22, 0x3A), (25, 0x20),
  ]
  guard text.count == 29, separators.allSatisfy({ text[$0.0] == $0.1 }),
    text[26...].elementsEqual("GMT".utf8)
  else { return nil }
  let months =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun"]
    + ["Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
  guard let monthIndex = months.firstIndex(where: { text[8..<11].elementsEqual($0.utf8) }),
    let day = decimal(text[5..<7]), (1...31).contains(day),
    let year = decimal(text[12..<16]), (1970...9999).contains(year),
    let hour = decimal(text[17..<19]), hour < 24,
    let minute = decimal(text[20..<22]), minute < 60,
    let second = decimal(text[23..<25]), second <= 60
  else { return nil }
  let days = daysSince1970(year: year, month: monthIndex + 1, day: day)
  return ((days * 24 + hour) * 60 + minute) * 60 + second
}

/// Days of the proleptic Gregorian calendar, counted in years that begin in March so that the leap
/// day comes last.
private func daysSince1970(year: Int, month: Int, day: Int) -> Int {
  let marchYear = month > 2 ? year : year - 1
  let marchMonth = month > 2 ? month - 3 : month + 9
  let leapDays = marchYear / 4 - marchYear / 100 + marchYear / 400
  let daysBefore1970 = 719_468
  return marchYear * 365 + leapDays + (marchMonth * 153 + 2) / 5 + day - 1 - daysBefore1970
}

/// A number of one to nine decimal digits and nothing else.
package func decimal(_ digits: some Collection<UInt8>) -> Int? {
  guard (1...9).contains(digits.count) else { return nil }
  var value = 0
  for digit in digits {
    guard (0x30...0x39).contains(digit) else { return nil }
    value = value * 10 + Int(digit - 0x30)
  }
  return value
}
