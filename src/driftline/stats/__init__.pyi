"""The names of `driftline.stats`. The runtime module loads each at first use."""

from .attributions.importance import mass_moved as mass_moved, ndcg as ndcg, spearman as spearman
from .attributions.shapley import shapley_values as shapley_values
from .attributions.shift import (
    AttributionShift as AttributionShift,
    MeanSize as MeanSize,
    attribution_shift as attribution_shift,
    mean_size as mean_size,
)
from .basics.averages import (
    mean_estimate as mean_estimate,
    mean_of_moments as mean_of_moments,
    quantile_estimate as quantile_estimate,
    with_usual_spread as with_usual_spread,
)
from .basics.bootstrap import bootstrap_interval as bootstrap_interval
from .basics.estimate import (
    Z95 as Z95,
    Estimate as Estimate,
    Interval as Interval,
    difference_interval as difference_interval,
    log_interval as log_interval,
    logit_interval as logit_interval,
)
from .basics.proportion import (
    binomial_at_least as binomial_at_least,
    clopper_pearson as clopper_pearson,
    cohen_h as cohen_h,
    fisher_exact as fisher_exact,
    jeffreys as jeffreys,
    newcombe as newcombe,
    two_proportion_z as two_proportion_z,
    wilson as wilson,
)
from .basics.sample import midranks as midranks
from .distributions.anderson import anderson_darling as anderson_darling
from .distributions.binned import (
    hellinger as hellinger,
    jeffreys_shares as jeffreys_shares,
    js_distance as js_distance,
    js_divergence as js_divergence,
    kl_divergence as kl_divergence,
    linf as linf,
    psi as psi,
    psi_filled as psi_filled,
    psi_raw as psi_raw,
    shares as shares,
    tvd as tvd,
)
from .distributions.contingency import (
    TableTest as TableTest,
    chi_square as chi_square,
    cohen_w as cohen_w,
    cramers_v as cramers_v,
    cramers_v_of as cramers_v_of,
    g_test as g_test,
)
from .distributions.distance import (
    cramer_von_mises as cramer_von_mises,
    cramer_von_mises_p as cramer_von_mises_p,
    energy_distance as energy_distance,
    robust_scale as robust_scale,
    wasserstein as wasserstein,
)
from .distributions.effect import (
    Superiority as Superiority,
    TTest as TTest,
    brown_forsythe as brown_forsythe,
    cohen_d as cohen_d,
    hedges_g as hedges_g,
    mann_whitney as mann_whitney,
    welch as welch,
)
from .distributions.grid import (
    energy_margin as energy_margin,
    grid_cramer_von_mises as grid_cramer_von_mises,
    grid_energy as grid_energy,
    grid_ks as grid_ks,
    grid_wasserstein as grid_wasserstein,
    rescaled_ks as rescaled_ks,
    wasserstein_margin as wasserstein_margin,
)
from .distributions.ks import (
    ks_distance as ks_distance,
    ks_margin as ks_margin,
    ks_p_asymptotic as ks_p_asymptotic,
    ks_p_exact as ks_p_exact,
    ks_p_limit as ks_p_limit,
    ks_p_paths as ks_p_paths,
    ks_p_value as ks_p_value,
    ks_robust as ks_robust,
)
from .distributions.moments import mean_shift as mean_shift, spread_shift as spread_shift
from .distributions.moved_values import MovedValues as MovedValues, moved_values as moved_values
from .distributions.other_tools import (
    aligned_divergence as aligned_divergence,
    by_value as by_value,
    doane_edges as doane_edges,
    filled_kl as filled_kl,
    filled_psi as filled_psi,
    fit_p_value as fit_p_value,
    histogram as histogram,
    joint_edges as joint_edges,
    laplace_psi as laplace_psi,
    sturges_edges as sturges_edges,
    with_leftover as with_leftover,
    yates_chi_square as yates_chi_square,
)
from .distributions.psi_law import (
    Law as Law,
    noncentrality_interval as noncentrality_interval,
    psi_critical as psi_critical,
    psi_debiased as psi_debiased,
    psi_interval as psi_interval,
    psi_law as psi_law,
    psi_p_value as psi_p_value,
    psi_quantile as psi_quantile,
)
from .distributions.repeats import (
    Repeats as Repeats,
    distinct as distinct,
    repeat_rate as repeat_rate,
)
from .distributions.row_forecast import (
    DayForecast as DayForecast,
    WeekProfile as WeekProfile,
    forecast_day as forecast_day,
    week_profile as week_profile,
    zero_filled as zero_filled,
)
from .distributions.shift import (
    Shift as Shift,
    cramer_von_mises_shift as cramer_von_mises_shift,
    energy_shift as energy_shift,
    hellinger_shift as hellinger_shift,
    js_shift as js_shift,
    ks_shift as ks_shift,
    linf_shift as linf_shift,
    psi_shift as psi_shift,
    tvd_shift as tvd_shift,
    wasserstein_shift as wasserstein_shift,
)
from .distributions.side import (
    Side as Side,
    group_counts as group_counts,
    quantile_groups as quantile_groups,
)
from .distributions.side_stack import (
    SideStack as SideStack,
    ks_shifts as ks_shifts,
    wasserstein_shifts as wasserstein_shifts,
)
from .distributions.turnover import gone_shift as gone_shift, news_shift as news_shift
from .distributions.volume import (
    count_at_least as count_at_least,
    count_at_most as count_at_most,
    dispersion as dispersion,
    mean_interval as mean_interval,
)
from .fairness.clarify import (
    CLARIFY as CLARIFY,
    Stratum as Stratum,
    conditional_disparity as conditional_disparity,
    generalised_entropy as generalised_entropy,
)
from .fairness.flip_test import flip_test as flip_test
from .fairness.gaps import GAPS as GAPS
from .fairness.groups import (
    RATES as RATES,
    ROWS_OF_RATE as ROWS_OF_RATE,
    GroupCounts as GroupCounts,
    average_odds_difference as average_odds_difference,
    rate_difference as rate_difference,
    rate_ratio as rate_ratio,
    treatment_equality as treatment_equality,
)
from .multivariate.centroids import Centroids as Centroids, centroid_distances as centroid_distances
from .multivariate.clouds import (
    Shrunk as Shrunk,
    cosine_shift as cosine_shift,
    fourier_shift as fourier_shift,
    mahalanobis_shift as mahalanobis_shift,
    shrunk_covariance as shrunk_covariance,
)
from .multivariate.components import (
    Components as Components,
    principal_components as principal_components,
)
from .multivariate.correlation import (
    correlations as correlations,
    rank_correlation as rank_correlation,
)
from .multivariate.density_ratio import (
    ImportanceWeights as ImportanceWeights,
    importance_weights as importance_weights,
)
from .multivariate.domain import (
    Guesses as Guesses,
    auc_null_se as auc_null_se,
    better_than_chance as better_than_chance,
)
from .multivariate.domain_classifier import (
    DomainAuc as DomainAuc,
    domain_auc as domain_auc,
    domain_auc_p_value as domain_auc_p_value,
)
from .multivariate.encoding import (
    Encoded as Encoded,
    pooled_scores as pooled_scores,
    standardise as standardise,
)
from .multivariate.kernel import (
    Discrepancy as Discrepancy,
    discrepancy as discrepancy,
    kernel_variance as kernel_variance,
    median_squared_distance as median_squared_distance,
    mmd2 as mmd2,
)
from .multivariate.kmeans import assign as assign, kmeans as kmeans
from .multivariate.reconstruction import (
    Reconstruction as Reconstruction,
    reconstruction as reconstruction,
)
from .performance.agreement import (
    ClassTable as ClassTable,
    class_table as class_table,
    cohen_kappa as cohen_kappa,
    f_beta as f_beta,
    false_negative_rate as false_negative_rate,
    false_positive_rate as false_positive_rate,
    jaccard as jaccard,
    mcc as mcc,
    one_against_rest as one_against_rest,
    weighted as weighted,
)
from .performance.calibration import (
    CalibrationLine as CalibrationLine,
    CumulativeError as CumulativeError,
    ScoreCells as ScoreCells,
    ZTest as ZTest,
    calibration_in_the_large as calibration_in_the_large,
    calibration_line as calibration_line,
    cumulative_error as cumulative_error,
    debiased_calibration_error as debiased_calibration_error,
    expected_calibration_error as expected_calibration_error,
    observed_to_expected as observed_to_expected,
    reliability as reliability,
    spiegelhalter as spiegelhalter,
)
from .performance.class_sets import (
    SetSums as SetSums,
    class_average as class_average,
    hamming_loss as hamming_loss,
    jaccard_of_rows as jaccard_of_rows,
    micro as micro,
)
from .performance.classification import (
    Confusion as Confusion,
    accuracy as accuracy,
    balanced_accuracy as balanced_accuracy,
    brier as brier,
    calibration_gap as calibration_gap,
    f1 as f1,
    hanley_mcneil_se as hanley_mcneil_se,
    log_loss as log_loss,
    macro as macro,
    precision as precision,
    rate as rate,
    recall as recall,
    roc_auc as roc_auc,
    separation as separation,
    specificity as specificity,
)
from .performance.compare import change as change, growth as growth
from .performance.confidence_estimate import (
    ExpectedConfusion as ExpectedConfusion,
    ProbabilityCells as ProbabilityCells,
    estimated_accuracy as estimated_accuracy,
    estimated_f1 as estimated_f1,
    estimated_precision as estimated_precision,
    estimated_recall as estimated_recall,
    estimated_roc_auc as estimated_roc_auc,
    expected_confusion as expected_confusion,
    expected_rates as expected_rates,
)
from .performance.corrected_rates import (
    LabelledSide as LabelledSide,
    corrected_rate as corrected_rate,
    label_correction as label_correction,
)
from .performance.decision_rates import (
    DecisionRates as DecisionRates,
    Rate as Rate,
    accuracy_of_rates as accuracy_of_rates,
    bounded_estimate as bounded_estimate,
    f1_of_rates as f1_of_rates,
    precision_of_rates as precision_of_rates,
    recall_of_rates as recall_of_rates,
)
from .performance.decomposition import Decomposition as Decomposition, decompose as decompose
from .performance.drivers import (
    Driver as Driver,
    DriverSegments as DriverSegments,
    Segment as Segment,
    SegmentTallies as SegmentTallies,
    rank_drivers as rank_drivers,
    rank_segments as rank_segments,
)
from .performance.error_quantiles import error_quantile as error_quantile
from .performance.expected_error import (
    GroupErrors as GroupErrors,
    corrected_loss as corrected_loss,
    expected_loss as expected_loss,
    loss_correction as loss_correction,
)
from .performance.expected_table import (
    expected_table as expected_table,
    resampled_tables as resampled_tables,
)
from .performance.few_labels import prediction_powered_mean as prediction_powered_mean
from .performance.group_scores import (
    GroupScores as GroupScores,
    group_scores as group_scores,
    mean_of_scores as mean_of_scores,
)
from .performance.label_shift import LabelShift as LabelShift, label_shift as label_shift
from .performance.outcome_value import (
    outcome_size as outcome_size,
    outcome_value as outcome_value,
)
from .performance.paired import (
    Difference as Difference,
    mcnemar as mcnemar,
    paired_difference as paired_difference,
)
from .performance.ranking import (
    average_precision_at as average_precision_at,
    f_beta_at as f_beta_at,
    hit as hit,
    ndcg_at as ndcg_at,
    precision_at as precision_at,
    recall_at as recall_at,
    reciprocal_rank as reciprocal_rank,
)
from .performance.regression import (
    bias as bias,
    mae as mae,
    mean_loss as mean_loss,
    mse as mse,
    r2 as r2,
    rmse as rmse,
    root_mean_loss as root_mean_loss,
    wape as wape,
)
from .performance.score_calibrator import (
    calibrated_probabilities as calibrated_probabilities,
    resampled_probabilities as resampled_probabilities,
)
from .performance.score_curves import (
    ScoreCurve as ScoreCurve,
    average_precision as average_precision,
    gain as gain,
    lift as lift,
    score_curve as score_curve,
)
from .performance.shortfall import total_shortfall as total_shortfall
from .performance.slice_conditions import (
    CodedColumn as CodedColumn,
    CodedColumns as CodedColumns,
    SliceCondition as SliceCondition,
    make_conditions as make_conditions,
    mask_rows as mask_rows,
)
from .performance.slice_tallies import (
    SliceGrid as SliceGrid,
    SliceTallies as SliceTallies,
    is_binary as is_binary,
)
from .performance.slices import (
    LossSample as LossSample,
    Slice as Slice,
    find_weak_slices as find_weak_slices,
    find_worse_slices as find_worse_slices,
    weak_slices as weak_slices,
    worse_slices as worse_slices,
)
from .sequential.anomalies import (
    ANOMALY as ANOMALY,
    AnomalyScorer as AnomalyScorer,
    ScoredValue as ScoredValue,
    score_series as score_series,
)
from .sequential.challenger import (
    Challenge as Challenge,
    ChallengeVerdict as ChallengeVerdict,
    LossDifference as LossDifference,
    is_usable_loss as is_usable_loss,
    judge_challenger as judge_challenger,
    paired_difference_of as paired_difference_of,
    rows_to_promote as rows_to_promote,
    unpaired_difference_of as unpaired_difference_of,
)
from .sequential.change_points import (
    ChangePoint as ChangePoint,
    date_change as date_change,
    find_change_points as find_change_points,
)
from .sequential.crossing import Crossing as Crossing, forecast_crossing as forecast_crossing
from .sequential.control_charts import (
    cusum as cusum,
    cusum_arl as cusum_arl,
    estimated_rate as estimated_rate,
    ewma as ewma,
    ewma_arl as ewma_arl,
    ewma_limits as ewma_limits,
    normal_scores as normal_scores,
    page_hinkley as page_hinkley,
)
from .sequential.evidence import (
    Ranks as Ranks,
    calibrate as calibrate,
    cusum_path as cusum_path,
    shiryaev_roberts as shiryaev_roberts,
    studentise as studentise,
    tail_p as tail_p,
)
from .sequential.limits import (
    Prediction as Prediction,
    limit_multiplier as limit_multiplier,
    limit_rate as limit_rate,
    mad_z as mad_z,
    plain_z as plain_z,
    prediction as prediction,
    rank_p as rank_p,
)
from .sequential.multiplicity import (
    Combined as Combined,
    bh as bh,
    bonferroni as bonferroni,
    by as by,
    cauchy_combined as cauchy_combined,
    e_bh as e_bh,
    fisher_combined as fisher_combined,
    holm as holm,
    simes as simes,
)
from .sequential.planning import (
    design_effect as design_effect,
    detectable_mean as detectable_mean,
    detectable_psi as detectable_psi,
    effective_rows as effective_rows,
    rows_for_rate as rows_for_rate,
)
from .sequential.season import (
    mark_effect as mark_effect,
    nan_mean as nan_mean,
    nan_variance as nan_variance,
    season_effects as season_effects,
    subtract_effects as subtract_effects,
)
from .sequential.sequences import (
    Centred as Centred,
    asymptotic_half as asymptotic_half,
    betting_capital as betting_capital,
    cdf_half as cdf_half,
    dkw_half as dkw_half,
    empirical_bernstein as empirical_bernstein,
    hoeffding_capital as hoeffding_capital,
    plug_in_bets as plug_in_bets,
)
