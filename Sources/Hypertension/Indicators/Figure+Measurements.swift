extension FigureSet {
  /// The most recent blood sugar of each hypertensive patient in the period, of whatever type. The limits are those of the programmes on
  /// Simple: below 200 mg/dL after a meal or at random, below 126 fasting, HbA1c below 7 per cent; very high from 300, 200
  /// and 9.
  public static let bloodSugar = FigureSet(
    [
      .count("patients_with_blood_sugar", "Measured", "Patients with a blood sugar in the period"),
      .count("sugar_controlled", "Controlled", "Blood sugar controlled"),
      .count("sugar_raised", "Raised", "Blood sugar raised"),
      .count("sugar_very_high", "Very high", "Blood sugar very high"),
      .rate(
        "sugar_controlled_rate", "Controlled %", "Blood sugar controlled", "sugar_controlled",
        of: "patients_with_blood_sugar"),
      .rate(
        "sugar_very_high_rate", "Very high %", "Blood sugar very high", "sugar_very_high",
        of: "patients_with_blood_sugar"),
      .count("sugar_fasting", "Fasting", "Measured fasting"),
      .count("sugar_post_prandial", "After a meal", "Measured after a meal"),
      .count("sugar_random", "Random", "Measured at random"),
      .count("sugar_hba1c", "HbA1c", "HbA1c measured"),
    ],
    sums: [
      Sum(
        "patients_with_blood_sugar", of: ["sugar_controlled", "sugar_raised", "sugar_very_high"]),
      Sum(
        "patients_with_blood_sugar",
        of: ["sugar_fasting", "sugar_post_prandial", "sugar_random", "sugar_hba1c"]),
    ])

  /// The heart rate that came with the most recent blood-pressure reading of the period, at rest: below 60 beats a minute is
  /// bradycardia, above 100 tachycardia (American Heart Association).
  public static let heartRate = FigureSet(
    [
      .count("patients_with_bp", "With BP", "Patients with a reading in the period"),
      .count("patients_with_heart_rate", "Measured", "Of them with a heart rate"),
      .count("patients_without_heart_rate", "Not measured", "Of them without a heart rate"),
      .count("heart_rate_below_60", "Below 60", "Heart rate below 60 beats a minute"),
      .count("heart_rate_60_to_100", "60 to 100", "Heart rate of 60 to 100 beats a minute"),
      .count("heart_rate_above_100", "Above 100", "Heart rate above 100 beats a minute"),
      .rate(
        "heart_rate_measured_rate", "Measured %", "Heart rate measured",
        "patients_with_heart_rate", of: "patients_with_bp"),
      .rate(
        "heart_rate_below_60_rate", "Below 60 %", "Heart rate below 60 beats a minute",
        "heart_rate_below_60", of: "patients_with_heart_rate"),
      .rate(
        "heart_rate_above_100_rate", "Above 100 %", "Heart rate above 100 beats a minute",
        "heart_rate_above_100", of: "patients_with_heart_rate"),
    ],
    sums: [
      Sum(
        "patients_with_bp", of: ["patients_with_heart_rate", "patients_without_heart_rate"]),
      Sum(
        "patients_with_heart_rate",
        of: ["heart_rate_below_60", "heart_rate_60_to_100", "heart_rate_above_100"]),
    ])

  /// The most recent reading in a range of days.
  public static let range = FigureSet(
    readings, sums: care.sums.filter { $0.whole == "patients_with_bp" })
}
