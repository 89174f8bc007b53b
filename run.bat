@echo off
rem Opens the web app; the first start makes the environment in .venv. Arguments go to gradio_app.py (try --help).
rem "run.bat --prepare-only dev" is what test.bat calls: it prepares the environment and stops.
setlocal EnableExtensions DisableDelayedExpansion
set "ROOT=%~dp0"
set "VENV=%ROOT%.venv"
set "PY=%VENV%\Scripts\python.exe"
set "EXTRA="
if "%~1"=="--prepare-only" set "EXTRA=%~2"

rem A half-made environment has no working pip: make it again.
"%PY%" -c "import pip" >nul 2>&1 && goto :have_environment
call :find_python || exit /b 1
echo Making the environment in %VENV% ...
if exist "%VENV%" rmdir /s /q "%VENV%"
%FOUND% -m venv "%VENV%" || exit /b 1

:have_environment
rem Installed already, and nothing listed has changed since? The stamp file is a copy of what was installed.
set "STAMP=%VENV%\installed-%EXTRA%.txt"
set "WANTED=%VENV%\wanted.txt"
if "%EXTRA%"=="" copy /b /y "%ROOT%requirements.txt" "%WANTED%" >nul
if not "%EXTRA%"=="" copy /b /y "%ROOT%requirements.txt"+"%ROOT%pyproject.toml" "%WANTED%" >nul
fc /b "%WANTED%" "%STAMP%" >nul 2>&1 && goto :ready
if exist "%STAMP%" del "%STAMP%"
echo Installing the requirements (once; the first time takes some minutes) ...
call :install_torch_for_nvidia || exit /b 1
pushd "%ROOT%"
if "%EXTRA%"=="" "%PY%" -m pip install --no-compile --requirement requirements.txt
if not "%EXTRA%"=="" "%PY%" -m pip install --no-compile --editable ".[%EXTRA%]"
if errorlevel 1 (popd & exit /b 1)
rem Pillow 13 mends holes, but gradio still asks for an older one; without it, CMYK JPEGs are refused.
"%PY%" -m pip install --no-compile --no-deps "pillow>=13,<14" || echo Going on with the older Pillow.
popd
copy /b /y "%WANTED%" "%STAMP%" >nul

:ready
if "%~1"=="--prepare-only" exit /b 0
"%PY%" "%ROOT%gradio_app.py" %*
exit /b %ERRORLEVEL%

:find_python
rem The newest of 3.10 to 3.13: from the py launcher, else whatever "python" is.
for %%V in (3.13 3.12 3.11 3.10) do (
    py -%%V -c "import venv, ensurepip" >nul 2>&1 && (set "FOUND=py -%%V" & exit /b 0)
)
set "FOUND=python"
python -c "import sys, venv, ensurepip; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))" >nul 2>&1 && exit /b 0
echo No usable Python 3.10 to 3.13 was found; install one from python.org and start again. 1>&2
exit /b 1

:install_torch_for_nvidia
rem On Windows the plain torch package has no CUDA. Where an NVIDIA driver answers, take the CUDA build first:
rem pip then finds the requirement torch==2.13.0 already satisfied. Cards before Turing (7.5) need CUDA 12.6.
nvidia-smi >nul 2>&1 || exit /b 0
set "CUDA=cu130"
for /f "tokens=1,2 delims=." %%A in ('nvidia-smi --query-gpu^=compute_cap --format^=csv^,noheader 2^>nul') do (
    if %%A LSS 7 set "CUDA=cu126"
    if %%A EQU 7 if %%B LSS 5 set "CUDA=cu126"
)
for /f "usebackq tokens=* delims=" %%T in (`findstr /b "torch==" "%ROOT%requirements.txt"`) do set "TORCH=%%T"
"%PY%" -m pip install "%TORCH%" --index-url https://download.pytorch.org/whl/%CUDA%
exit /b %ERRORLEVEL%
