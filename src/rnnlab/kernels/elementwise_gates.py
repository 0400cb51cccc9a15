"""What an elementwise scan does with one token of each kind, forwards and back.

``REAL`` and ``COMPLEX`` take a and b themselves, of any cell; minGRU, minLSTM, QRNN and SRU have their gates
here, of the equations in ``cells/``: what the product gives goes in as it is, and on the way back gates are
computed anew, not kept. ``elementwise.py`` walks, and says what the arguments are.
"""

from typing import Any

from rnnlab.kernels.compiler import compiled, compiled_apart, inlined
from rnnlab.kernels.elementwise import kernels_of
from rnnlab.kernels.vectors import sigmoid, tanh


@compiled_apart
def _real(given: Any, beside: Any, state: Any, output: Any) -> None:
    for i in range(len(state)):
        c = beside[i] * state[i] + given[i]
        state[i], output[i] = c, c


@compiled_apart
def _real_back(
    given: Any, beside: Any, before: Any, after: Any, output_slope: Any, slope: Any, given_slope: Any,
    beside_slope: Any,
) -> None:  # fmt: skip
    for i in range(len(slope)):
        dc = slope[i] + output_slope[i]
        given_slope[i] = dc
        beside_slope[i] += dc * before[i]
        slope[i] = dc * beside[i]


@compiled
def _halves(row: Any) -> Any:
    """Return a row's two parts: an index that is added up hides from LLVM that they are apart."""
    size = len(row) // 2
    return row[:size], row[size:]


@compiled
def _thirds(row: Any) -> Any:
    size = len(row) // 3
    return row[:size], row[size : 2 * size], row[2 * size :]


@compiled
def _quarters(row: Any) -> Any:
    size = len(row) // 4
    return row[:size], row[size : 2 * size], row[2 * size : 3 * size], row[3 * size :]


@compiled_apart
def _complex(given: Any, beside: Any, state: Any, output: Any) -> None:
    (given_r, given_i), (a_r, a_i), (c_r, c_i) = _halves(given), _halves(beside), _halves(state)
    output_r, output_i = _halves(output)
    for i in range(len(c_r)):
        real = a_r[i] * c_r[i] - a_i[i] * c_i[i] + given_r[i]
        imaginary = a_r[i] * c_i[i] + a_i[i] * c_r[i] + given_i[i]
        c_r[i], c_i[i] = real, imaginary
        output_r[i], output_i[i] = real, imaginary


@compiled_apart
def _complex_back(
    given: Any, beside: Any, before: Any, after: Any, output_slope: Any, slope: Any, given_slope: Any,
    beside_slope: Any,
) -> None:  # fmt: skip
    (a_r, a_i), (c_r, c_i), (slope_r, slope_i) = _halves(beside), _halves(before), _halves(slope)
    (more_r, more_i), (db_r, db_i), (da_r, da_i) = (
        _halves(output_slope), _halves(given_slope), _halves(beside_slope),
    )  # fmt: skip
    for i in range(len(slope_r)):
        real, imaginary = slope_r[i] + more_r[i], slope_i[i] + more_i[i]
        db_r[i], db_i[i] = real, imaginary
        da_r[i] += real * c_r[i] + imaginary * c_i[i]
        da_i[i] += imaginary * c_r[i] - real * c_i[i]
        slope_r[i] = a_r[i] * real + a_i[i] * imaginary
        slope_i[i] = a_r[i] * imaginary - a_i[i] * real


@compiled_apart
def _mingru(given: Any, beside: Any, state: Any, output: Any) -> None:
    (given_z, given_n), (bias_z, bias_n) = _halves(given), _halves(beside)
    for i in range(len(state)):
        z, n = sigmoid(given_z[i] + bias_z[i]), given_n[i] + bias_n[i]
        h = n + z * (state[i] - n)
        state[i], output[i] = h, h


@compiled_apart
def _mingru_back(
    given: Any, beside: Any, before: Any, after: Any, output_slope: Any, slope: Any, given_slope: Any,
    beside_slope: Any,
) -> None:  # fmt: skip
    (given_z, given_n), (bias_z, bias_n) = _halves(given), _halves(beside)
    (slope_z, slope_n), (sum_z, sum_n) = _halves(given_slope), _halves(beside_slope)
    one = slope.dtype.type(1)
    for i in range(len(slope)):
        z, n = sigmoid(given_z[i] + bias_z[i]), given_n[i] + bias_n[i]
        dh = slope[i] + output_slope[i]
        dz, dn = dh * (before[i] - n) * z * (one - z), dh * (one - z)
        slope_z[i], slope_n[i], slope[i] = dz, dn, dh * z
        sum_z[i] += dz
        sum_n[i] += dn


@compiled_apart
def _minlstm(given: Any, beside: Any, state: Any, output: Any) -> None:
    (given_f, given_i, given_n), (bias_f, bias_i, bias_n) = _thirds(given), _thirds(beside)
    for i in range(len(state)):
        f = _share(given_f[i] + bias_f[i], given_i[i] + bias_i[i], state.dtype.type(1))
        n = given_n[i] + bias_n[i]
        h = n + f * (state[i] - n)
        state[i], output[i] = h, h


@compiled_apart
def _minlstm_back(
    given: Any, beside: Any, before: Any, after: Any, output_slope: Any, slope: Any, given_slope: Any,
    beside_slope: Any,
) -> None:  # fmt: skip
    (given_f, given_i, given_n), (bias_f, bias_i, bias_n) = _thirds(given), _thirds(beside)
    (slope_f, slope_i, slope_n), (sum_f, sum_i, sum_n) = _thirds(given_slope), _thirds(beside_slope)
    one = slope.dtype.type(1)
    for i in range(len(slope)):
        forget, entry, n = given_f[i] + bias_f[i], given_i[i] + bias_i[i], given_n[i] + bias_n[i]
        f = _share(forget, entry, one)
        dh = slope[i] + output_slope[i]
        share = dh * (before[i] - n) * f * (one - f)
        df, di, dn = share * sigmoid(-forget), -share * sigmoid(-entry), dh * (one - f)
        slope_f[i], slope_i[i], slope_n[i], slope[i] = df, di, dn, dh * f
        sum_f[i] += df
        sum_i[i] += di
        sum_n[i] += dn


@inlined
def _share(a: Any, b: Any, one: Any) -> Any:
    """Return ``s(a) / (s(a) + s(b))`` by exponentials of which the largest is 1."""
    zero = one - one
    most = -a if -a > -b else -b
    most = most if most > zero else zero
    whole, of_a, of_b = _exponential(-most, one), _exponential(-a - most, one), _exponential(-b - most, one)
    return (whole + of_b) / (whole + whole + of_a + of_b)


@inlined
def _exponential(x: Any, one: Any) -> Any:
    """Return ``exp(x)`` for x <= 0, exact to within what tanh is off."""
    t = tanh(x / (one + one))
    return (one + t) / (one - t)


@compiled_apart
def _qrnn(given: Any, beside: Any, state: Any, output: Any) -> None:
    (given_z, given_f, given_o), (bias_z, bias_f, bias_o) = _thirds(given), _thirds(beside)
    for i in range(len(state)):
        z, f = tanh(given_z[i] + bias_z[i]), sigmoid(given_f[i] + bias_f[i])
        c = z + f * (state[i] - z)
        state[i], output[i] = c, sigmoid(given_o[i] + bias_o[i]) * c


@compiled_apart
def _qrnn_back(
    given: Any, beside: Any, before: Any, after: Any, output_slope: Any, slope: Any, given_slope: Any,
    beside_slope: Any,
) -> None:  # fmt: skip
    (given_z, given_f, given_o), (bias_z, bias_f, bias_o) = _thirds(given), _thirds(beside)
    (slope_z, slope_f, slope_o), (sum_z, sum_f, sum_o) = _thirds(given_slope), _thirds(beside_slope)
    one = slope.dtype.type(1)
    for i in range(len(slope)):
        z, f = tanh(given_z[i] + bias_z[i]), sigmoid(given_f[i] + bias_f[i])
        o, dh = sigmoid(given_o[i] + bias_o[i]), output_slope[i]
        dc = slope[i] + dh * o
        dz, df = dc * (one - f) * (one - z * z), dc * (before[i] - z) * f * (one - f)
        do = dh * after[i] * o * (one - o)
        slope_z[i], slope_f[i], slope_o[i], slope[i] = dz, df, do, dc * f
        sum_z[i] += dz
        sum_f[i] += df
        sum_o[i] += do


@compiled_apart
def _sru(given: Any, beside: Any, state: Any, output: Any) -> None:
    given_n, given_f, given_r, given_s = _quarters(given)
    bias_n, bias_f, bias_r, bias_s = _quarters(beside)
    for i in range(len(state)):
        n, f = given_n[i] + bias_n[i], sigmoid(given_f[i] + bias_f[i])
        r, past = sigmoid(given_r[i] + bias_r[i]), given_s[i] + bias_s[i]
        c = n + f * (state[i] - n)
        state[i], output[i] = c, past + r * (c - past)


@compiled_apart
def _sru_back(
    given: Any, beside: Any, before: Any, after: Any, output_slope: Any, slope: Any, given_slope: Any,
    beside_slope: Any,
) -> None:  # fmt: skip
    given_n, given_f, given_r, given_s = _quarters(given)
    bias_n, bias_f, bias_r, bias_s = _quarters(beside)
    slope_n, slope_f, slope_r, slope_s = _quarters(given_slope)
    sum_n, sum_f, sum_r, sum_s = _quarters(beside_slope)
    one = slope.dtype.type(1)
    for i in range(len(slope)):
        n, f = given_n[i] + bias_n[i], sigmoid(given_f[i] + bias_f[i])
        r, past, dh = sigmoid(given_r[i] + bias_r[i]), given_s[i] + bias_s[i], output_slope[i]
        dc = slope[i] + dh * r
        dn, df = dc * (one - f), dc * (before[i] - n) * f * (one - f)
        dr, dpast = dh * (after[i] - past) * r * (one - r), dh * (one - r)
        slope_n[i], slope_f[i], slope_r[i], slope_s[i], slope[i] = dn, df, dr, dpast, dc * f
        sum_n[i] += dn
        sum_f[i] += df
        sum_r[i] += dr
        sum_s[i] += dpast


REAL = kernels_of("elementwise", _real, _real_back, has_gates=False, reads_state=True)
COMPLEX = kernels_of("complex elementwise", _complex, _complex_back, has_gates=False, reads_state=True)
MINGRU = kernels_of("mingru", _mingru, _mingru_back, has_gates=True, reads_state=True)
MINLSTM = kernels_of("minlstm", _minlstm, _minlstm_back, has_gates=True, reads_state=True)
QRNN = kernels_of("qrnn", _qrnn, _qrnn_back, has_gates=True, reads_state=False)
SRU = kernels_of("sru", _sru, _sru_back, has_gates=True, reads_state=False)
